"""Where fuzzing starts from: sound inputs of every kind, and the words they are made of."""

import json

from tests.fuzz.targets import LABELS

PROMPT = "<|im_start|>user\nSie möchten einkaufen: <button name='buy_now'>\n<|im_end|>\n<|im_start|>assistant\n"

ACTIONS = (
    *LABELS,
    {"type": "click", "name": "a:b", "price": 9.5, "tags": [1, {"a": None}]},
    {"type": "scroll", "name": "", "text": "\u0301" * 40},
)
COMPLETIONS = (
    *(json.dumps({"rationale": "I like it: so I buy.", "action": action}) for action in ACTIONS),
    json.dumps({"action": ACTIONS[1], "rationale": "価格 – gut"}, ensure_ascii=False, indent=1) + "\n<|im_end|>\n</s>",
    f"```json\n{json.dumps({'rationale': '', 'action': ACTIONS[2]})}\n```",
    '{"rationale": "\\u003a\\ud83d\\ude00", "action": {"type": "click", "type": "click"}}',
    '{"rationale": 1e999, "action": [NaN]} and more',
    "[" * 200,
)
EVIDENCE = {"vocab_size": 8, "top_logprobs": [[-0.5, -1.5], [-0.1, -3.0]]}
ROLLOUTS = tuple(
    {"completion": text, "label": label, "id": "a", "group": "b", "certainty": EVIDENCE}
    for text, label in zip(
        COMPLETIONS, (*LABELS, {"action": LABELS[0]}, json.dumps(LABELS[1]), *LABELS, *LABELS), strict=False
    )
)

SEEDS: dict[str, list[bytes]] = {
    "completion": [text.encode() for text in COMPLETIONS],
    "native": [
        *(json.dumps({"rollouts": [rollout]}).encode() for rollout in ROLLOUTS),
        json.dumps({"rollouts": ROLLOUTS[:4]}, ensure_ascii=False).encode(),
        json.dumps({"rollouts": [{**ROLLOUTS[0], "prompt": PROMPT, "completion_token_ids": [1, 2, 3]}]}).encode(),
    ],
    "openrlhf": [
        *(
            json.dumps({"query": [f"{PROMPT}{text}"], "prompts": [PROMPT], "labels": [LABELS[0]]}).encode()
            for text in COMPLETIONS
        ),
        json.dumps(
            {"query": [f"{PROMPT[40:]}{COMPLETIONS[0]}", COMPLETIONS[1]], "prompts": [PROMPT, ""], "labels": LABELS[:2]}
        ).encode(),
        f"{PROMPT}\0{PROMPT[30:]}{COMPLETIONS[0]}".encode(),
        f"{PROMPT}\0{PROMPT.replace('ö', 'oe')}{COMPLETIONS[0]}".encode(),
        f"{'ab' * 40}\0{'ab' * 30}x".encode(),
    ],
}

WORDS = (
    *("rationale", "action", "type", "name", "text", "click", "terminate", "type_and_submit", "add_to_cart.buy_now"),
    *("rollouts", "completion", "label", "certainty", "vocab_size", "top_logprobs", "prompt", "prompt_token_ids"),
    *("query", "prompts", "labels", "null", "true", "NaN", "Infinity", "1e999", "-0.0", "18446744073709551616"),
    *('"', '\\"', '":', '","', "{", "}", "[", "]", "},", '"}', '\\"}', "```json", "```", "<|im_end|>", "</s>"),
    *("\\ud800", "\\udc00", "\\u003a", "\\u0000", "\\\\", "\\n", "\ufeff", "\u3000", "\u00a0", "\u0301", "\u212b", "ﷺ"),
)
"""What a fuzzer puts in as a whole."""

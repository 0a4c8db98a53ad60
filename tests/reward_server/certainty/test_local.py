"""The source `local`: exact certainties from a model in this process, beside transformers in double precision."""

import asyncio
import hashlib
import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import get_args

import pytest
import torch
from safetensors.torch import load_file, save_file
from tokenizers import Tokenizer
from transformers import BertConfig, BertForMaskedLM, Qwen2Model

from reward_server.certainty.local import LocalSource
from reward_server.certainty.model_files import DEMO_MODEL, is_demo_model
from reward_server.certainty.source import (
    Certainty,
    EvidenceError,
    Kind,
    RationaleRequest,
    SourceError,
    SourceUnavailable,
)
from tests.reward_server.certainty.reference import by_the_book, of_the_rationale
from tests.reward_server.certainty.tiny_models import LONGEST, Architecture, write_model

PROMPT = "The page shows a rice cooker for 34 dollars. What do you do next? "
LONG_PROMPT = PROMPT * 100
"""More tokens than are read at once."""
NATS = 1e-4
"""What single precision may cost."""


def said(rationale: str) -> str:
    return json.dumps({"rationale": rationale, "action": {"type": "terminate"}}, ensure_ascii=False)


CHEAP = said("I want a cheap rice cooker.")
LONG = said("I want a small and cheap rice cooker. " * 30)
"""More tokens than are measured at once."""


@pytest.fixture(scope="session")
def folders(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """A model of each architecture."""
    root = tmp_path_factory.mktemp("models")
    return {name: write_model(root / name, name, seed=1) for name in get_args(Architecture)}


@pytest.fixture(scope="session")
def sources(folders: dict[str, Path]) -> dict[str, LocalSource]:
    return {name: LocalSource(str(folder)) for name, folder in folders.items()}


@pytest.fixture(scope="session")
def source(sources: dict[str, LocalSource]) -> LocalSource:
    return sources["qwen2"]


@pytest.fixture(scope="session")
def tokenizer(folders: dict[str, Path]) -> Tokenizer:
    return Tokenizer.from_file(str(folders["qwen2"] / "tokenizer.json"))


@pytest.fixture
def changed(folders: dict[str, Path], tmp_path: Path) -> Callable[[Callable[[Path], object]], str]:
    """A copy of a model after something was done to it."""

    def change(what: Callable[[Path], object]) -> str:
        folder = tmp_path / "changed"
        shutil.copytree(folders["qwen2"], folder)
        what(folder)
        return str(folder)

    return change


def measured(source: LocalSource, *requests: RationaleRequest, kind: Kind = "kl_to_uniform") -> list[Certainty]:
    return asyncio.run(source.measure(requests, kind))


def refused(source: LocalSource, *requests: RationaleRequest) -> list[tuple[int, tuple[str | int, ...], str]]:
    with pytest.raises(EvidenceError) as caught:
        measured(source, *requests)
    return [(fault.index, fault.path, fault.reason) for fault in caught.value.faults]


@pytest.mark.parametrize("architecture", get_args(Architecture))
@pytest.mark.parametrize("prompt", ["", PROMPT, LONG_PROMPT], ids=["no prompt", "prompt", "long prompt"])
def test_a_certainty_is_that_of_one_pass_over_the_whole_text_in_double_precision(
    architecture: str, prompt: str, folders: dict[str, Path], sources: dict[str, LocalSource], tokenizer: Tokenizer
) -> None:
    completions = [CHEAP, LONG]
    answers = measured(sources[architecture], *(RationaleRequest(text, prompt) for text in completions))
    for completion, answer in zip(completions, answers, strict=True):
        value, tokens = of_the_rationale(folders[architecture], prompt, completion)
        assert answer.value == pytest.approx(value, abs=NATS)
        assert answer.tokens == tokens
        assert (answer.lower, answer.upper) == (answer.value, answer.value)
        assert answer.context is bool(prompt)


@pytest.mark.parametrize("kind", get_args(Kind))
def test_all_three_kinds_are_told(
    kind: Kind, folders: dict[str, Path], source: LocalSource, tokenizer: Tokenizer
) -> None:
    (answer,) = measured(source, RationaleRequest(CHEAP, PROMPT), kind=kind)
    value, _ = of_the_rationale(folders["qwen2"], PROMPT, CHEAP, kind)
    assert answer.kind == kind
    assert answer.value == pytest.approx(value, abs=NATS / 512 if kind == "kl_to_uniform_over_vocab" else NATS)
    assert source.kinds == set(get_args(Kind))


def test_a_value_does_not_depend_on_what_else_is_asked(source: LocalSource) -> None:
    requests = [
        *(
            RationaleRequest(completion, prompt)
            for completion in (CHEAP, LONG)
            for prompt in (PROMPT, LONG_PROMPT, None)
        ),
        RationaleRequest(said("It fits."), PROMPT),
        RationaleRequest(CHEAP, PROMPT),
    ]
    together = measured(source, *requests)
    assert together == [measured(source, request)[0] for request in requests]
    assert measured(source, *requests[::-1]) == together[::-1]
    assert together[0] == together[-1] != together[1]


def test_an_empty_batch_has_no_certainties(source: LocalSource) -> None:
    assert measured(source) == []


def test_tokens_win_over_texts(source: LocalSource, folders: dict[str, Path], tokenizer: Tokenizer) -> None:
    # 500 is an id of the model's that its tokenizer has no text for; one token a character is not how it would write.
    before = [500, *tokenizer.encode(PROMPT).ids]
    letter_by_letter = [tokenizer.encode(character).ids[0] for character in CHEAP]
    request = RationaleRequest(CHEAP, "another prompt", before, letter_by_letter)
    (answer,) = measured(source, request)
    start, end = CHEAP.index("I want"), CHEAP.index('", "action"')
    values = by_the_book(folders["qwen2"], before, letter_by_letter, "kl_to_uniform")[start:end]
    assert answer.tokens == end - start
    assert answer.value == pytest.approx(sum(values) / len(values), abs=NATS)


def test_every_request_at_fault_is_named_with_its_field(source: LocalSource, tokenizer: Tokenizer) -> None:
    faults = refused(
        source,
        RationaleRequest(CHEAP, PROMPT),
        RationaleRequest(CHEAP, prompt_token_ids=[1, 512]),
        RationaleRequest(CHEAP, PROMPT, completion_token_ids=[1, 2, 3]),
        RationaleRequest(CHEAP, PROMPT, completion_token_ids=[512]),
        RationaleRequest(CHEAP, "half a pair: \ud83d"),
        RationaleRequest(CHEAP, PROMPT * 1000),
    )
    assert [(index, path) for index, path, _ in faults] == [
        (1, ("prompt_token_ids", 1)),
        (2, ("completion_token_ids",)),
        (3, ("completion_token_ids",)),
        (4, ("prompt",)),
        (5, ("prompt",)),
    ]
    assert "vocabulary of 512" in faults[0][2]
    assert "Unicode" in faults[3][2]
    assert str(len(tokenizer.encode(PROMPT * 1000).ids)) in faults[4][2]
    assert str(LONGEST) in faults[4][2]


def test_a_text_may_be_as_long_as_the_model_reads_and_no_longer(source: LocalSource, tokenizer: Tokenizer) -> None:
    end = CHEAP.index('", "action"')
    needed = sum(low < end for low, _ in tokenizer.encode(CHEAP).offsets)
    longest = [7] * (LONGEST - needed)
    assert measured(source, RationaleRequest(CHEAP, prompt_token_ids=longest))[0].tokens > 0
    ((_, path, _),) = refused(source, RationaleRequest(CHEAP, prompt_token_ids=[*longest, 7]))
    assert path == ("prompt_token_ids",)


def test_no_length_that_a_tokenizer_was_saved_with_cuts_a_text(
    source: LocalSource, changed: Callable[[Callable[[Path], object]], str]
) -> None:
    def limit(folder: Path) -> None:
        tokenizer = Tokenizer.from_file(str(folder / "tokenizer.json"))
        tokenizer.enable_truncation(8)
        tokenizer.enable_padding(length=64)
        tokenizer.save(str(folder / "tokenizer.json"))

    request = RationaleRequest(CHEAP, PROMPT)
    (limited,) = measured(LocalSource(changed(limit)), request)
    assert limited.value == measured(source, request)[0].value


def test_measuring_leaves_the_event_loop_to_others_and_two_at_once_give_what_each_gives_alone(
    source: LocalSource,
) -> None:
    requests = [RationaleRequest(LONG, LONG_PROMPT), RationaleRequest(CHEAP, PROMPT)]
    alone = [measured(source, request) for request in requests]

    async def both() -> tuple[list[list[Certainty]], int]:
        tasks = [asyncio.create_task(source.measure([request], "kl_to_uniform")) for request in requests]
        turns = 0
        while not all(task.done() for task in tasks):
            turns += 1
            await asyncio.sleep(0)
        return [task.result() for task in tasks], turns

    together, turns = asyncio.run(both())
    assert together == alone
    # A loop that is held has three turns at most: one for each task, and the last.
    assert turns > 10


def test_a_caller_who_leaves_does_not_keep_others_from_measuring(source: LocalSource) -> None:
    request = RationaleRequest(CHEAP, PROMPT)
    expected = measured(source, request)

    async def leave() -> list[Certainty]:
        slow = RationaleRequest(LONG, LONG_PROMPT)
        leaving = [asyncio.create_task(source.measure([slow], "kl_to_uniform")) for _ in range(3)]
        await asyncio.sleep(0)
        for task in leaving:
            task.cancel()
        ended = await asyncio.gather(*leaving, return_exceptions=True)
        assert [type(outcome) for outcome in ended] == [asyncio.CancelledError] * 3
        return await source.measure([request], "kl_to_uniform")

    assert asyncio.run(leave()) == expected


@pytest.fixture
def faulty(source: LocalSource, monkeypatch: pytest.MonkeyPatch) -> Callable[[RuntimeError], None]:
    """Makes the device fail with an error whenever a model computes on it."""

    def fail(error: RuntimeError) -> None:
        def forward(*_: object, **__: object) -> None:
            raise error

        monkeypatch.setattr(Qwen2Model, "forward", forward)

    return fail


OUT_OF_MEMORY = torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB.\nSee the documentation.")


def test_a_gpu_without_room_is_a_wait_and_never_a_number(
    source: LocalSource, faulty: Callable[[RuntimeError], None], monkeypatch: pytest.MonkeyPatch, tokenizer: Tokenizer
) -> None:
    request = RationaleRequest(CHEAP, PROMPT)
    expected = measured(source, request)
    faulty(OUT_OF_MEMORY)
    with pytest.raises(SourceUnavailable, match=r"no memory left .*Tried to allocate 2\.00 GiB\.$"):
        measured(source, request)
    asyncio.run(source.check())
    monkeypatch.undo()
    assert measured(source, request) == expected


def test_a_device_that_has_failed_is_not_well_until_it_computes_again(
    source: LocalSource, faulty: Callable[[RuntimeError], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    request = RationaleRequest(CHEAP, PROMPT)
    expected = measured(source, request)
    faulty(RuntimeError("CUDA error: device-side assert triggered\nSearch for it."))
    with pytest.raises(SourceError, match=r"failed to compute .*device-side assert triggered$") as caught:
        measured(source, request)
    assert not isinstance(caught.value, SourceUnavailable)
    with pytest.raises(SourceError, match="device-side assert"):
        asyncio.run(source.check())
    monkeypatch.undo()
    asyncio.run(source.check())
    assert measured(source, request) == expected


def test_a_model_too_large_for_the_gpu_is_refused_in_a_sentence(
    folders: dict[str, Path], source: LocalSource, faulty: Callable[[RuntimeError], None]
) -> None:
    faulty(OUT_OF_MEMORY)
    with pytest.raises(SourceError, match=r"REWARD_CERTAINTY_MODEL: the GPU has no room .* a smaller model"):
        LocalSource(str(folders["qwen2"]))


TF32 = """
import sys, torch
from reward_server.certainty.local import LocalSource
before = torch.get_float32_matmul_precision()
LocalSource(sys.argv[1])
print(before, torch.get_float32_matmul_precision())
"""


def test_products_keep_single_precision_where_the_environment_would_have_them_in_tf32(folders: dict[str, Path]) -> None:
    environment = {**os.environ, "TORCH_ALLOW_TF32_CUBLAS_OVERRIDE": "1"}
    command = [sys.executable, "-c", TF32, str(folders["qwen2"])]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=True, timeout=120)
    assert done.stdout.split() == ["high", "highest"]


def test_a_model_says_which_weights_it_has_and_since_when(folders: dict[str, Path], source: LocalSource) -> None:
    weights = (folders["qwen2"] / "model.safetensors").read_bytes()
    assert source.model.name == str(folders["qwen2"])
    assert source.model.revision == f"sha256:{hashlib.sha256(weights).hexdigest()}"
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ", source.model.loaded_at or "")
    (answer,) = measured(source, RationaleRequest(CHEAP, PROMPT))
    assert (answer.model, answer.revision, answer.loaded_at) == source.model
    assert answer.source == "local"


def test_the_prompt_of_a_batch_is_read_once(source: LocalSource, tokenizer: Tokenizer) -> None:
    completions = [CHEAP, said("It fits.")]
    before = source.tokens_read
    measured(source, *(RationaleRequest(completion, PROMPT) for completion in (*completions, CHEAP)))
    prompt = len(tokenizer.encode(PROMPT).ids)
    # Nothing is predicted from the rationale's last token, so that is not read, nor what follows it.
    read = [
        sum(low < completion.index('", "action"') for low, _ in tokenizer.encode(completion).offsets) - 1
        for completion in completions
    ]
    assert source.tokens_read.computed - before.computed == prompt + sum(read)
    assert source.tokens_read.cached - before.cached == prompt


def test_the_demo_model_is_told_from_others(folders: dict[str, Path]) -> None:
    assert is_demo_model(None)
    assert is_demo_model(str(DEMO_MODEL))
    assert not is_demo_model(str(folders["qwen2"]))
    assert not is_demo_model("Qwen/Qwen2.5-0.5B-Instruct")


def test_a_text_is_told_token_by_token(folders: dict[str, Path], source: LocalSource, tokenizer: Tokenizer) -> None:
    text = "I want a 🙂 cooker"
    told = source.by_token(text, PROMPT, "kl_to_uniform", rationale=False)
    encoding = tokenizer.encode(text)
    assert "".join(told.pieces) == text
    # The tokenizer has not seen the emoji: it is four bytes, of which the first has it all.
    assert told.pieces == ["I", " want", " a", " ", "🙂", "", "", "", " cooker"]
    by_token = by_the_book(folders["qwen2"], tokenizer.encode(PROMPT).ids, encoding.ids, "kl_to_uniform")
    assert told.values == pytest.approx(by_token, abs=NATS)
    assert (told.start, told.end) == (0, len(encoding.ids))
    assert told.mean == pytest.approx(sum(by_token) / len(by_token), abs=NATS)


def test_without_a_prompt_the_first_token_has_no_certainty(
    folders: dict[str, Path], source: LocalSource, tokenizer: Tokenizer
) -> None:
    told = source.by_token("I want a cooker", "", "kl_to_uniform", rationale=False)
    by_token = by_the_book(folders["qwen2"], [], tokenizer.encode("I want a cooker").ids, "kl_to_uniform")
    assert told.values[0] is None
    assert told.values[1:] == pytest.approx(by_token, abs=NATS)
    assert told.mean == pytest.approx(sum(by_token) / len(by_token), abs=NATS)
    assert source.by_token("I", "", "kl_to_uniform", rationale=False).mean == 0


def test_of_a_completion_the_mean_is_the_rationales(source: LocalSource) -> None:
    told = source.by_token(CHEAP, PROMPT, "kl_to_uniform", rationale=True)
    (answer,) = measured(source, RationaleRequest(CHEAP, PROMPT))
    assert told.mean == pytest.approx(answer.value, abs=NATS)
    assert len(told.counted) == answer.tokens
    assert "".join(told.pieces[told.start : told.end]).startswith("I want a cheap rice cooker.")


@pytest.mark.parametrize(("text", "word"), [("", "no tokens"), ("cooker " * 9000, str(LONGEST))])
def test_a_text_without_tokens_or_with_too_many_is_refused(text: str, word: str, source: LocalSource) -> None:
    with pytest.raises(EvidenceError, match=word):
        source.by_token(text, PROMPT, "kl_to_uniform", rationale=False)


def edit_config(folder: Path, **values: object) -> None:
    config = json.loads((folder / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps({**config, **values}))


def write_masked_model(folder: Path) -> None:
    config = BertConfig(
        vocab_size=512, hidden_size=32, intermediate_size=32, num_hidden_layers=1, num_attention_heads=1
    )
    BertForMaskedLM(config).save_pretrained(folder)


def break_weights(folder: Path) -> None:
    weights = load_file(folder / "model.safetensors")
    weights["model.norm.weight"][0] = float("nan")
    save_file(weights, folder / "model.safetensors", {"format": "pt"})


def add_tokens(folder: Path) -> None:
    tokenizer = Tokenizer.from_file(str(folder / "tokenizer.json"))
    tokenizer.add_tokens([f"<{number}>" for number in range(512)])
    tokenizer.save(str(folder / "tokenizer.json"))


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda folder: (folder / "tokenizer.json").unlink(), ["no tokenizer.json", "save_pretrained"]),
        (lambda folder: (folder / "tokenizer.json").write_text("{}"), ["no tokenizer"]),
        (lambda folder: (folder / "model.safetensors").rename(folder / "pytorch_model.bin"), ["no *.safetensors"]),
        (lambda folder: (folder / "model.safetensors").write_bytes(b"\x08"), ["cannot be loaded"]),
        (lambda folder: (folder / "config.json").unlink(), ["cannot be loaded"]),
        (lambda folder: edit_config(folder, tie_word_embeddings=False), ["lack 1 of its weights", "lm_head"]),
        (lambda folder: edit_config(folder, auto_map={"AutoConfig": "a.B"}, model_type="ours"), ["cannot be"]),
        (write_masked_model, ["BertForMaskedLM, not a causal language model"]),
        (break_weights, ["not all finite"]),
        (add_tokens, ["ids up to 949", "has 512 tokens"]),
    ],
    ids=[
        "no tokenizer",
        "broken tokenizer",
        "pickled weights",
        "broken weights",
        "no config",
        "a weight is missing",
        "code of its own",
        "a masked model",
        "weights that are no numbers",
        "another model's tokenizer",
    ],
)
def test_a_folder_without_a_causal_language_model_is_refused_in_a_sentence(
    change: Callable[[Path], object], words: list[str], changed: Callable[[Callable[[Path], object]], str]
) -> None:
    with pytest.raises(SourceError) as caught:
        LocalSource(changed(change))
    assert str(caught.value).startswith("REWARD_CERTAINTY_MODEL: ")
    assert [word for word in words if word not in str(caught.value)] == []
    assert len(str(caught.value)) < 600


def test_a_folder_has_no_revisions(folders: dict[str, Path]) -> None:
    with pytest.raises(SourceError, match=r"REWARD_CERTAINTY_REVISION: .* is a folder"):
        LocalSource(str(folders["qwen2"]), "main")


def test_a_path_that_is_not_there_is_no_hugging_face_id_either(tmp_path: Path) -> None:
    with pytest.raises(SourceError, match="neither a folder here nor a Hugging Face id"):
        LocalSource(str(tmp_path / "missing"))


def test_without_torch_the_sentence_says_what_to_install(
    folders: dict[str, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delitem(sys.modules, "reward_server.certainty.causal_model", raising=False)
    monkeypatch.setitem(sys.modules, "torch", None)
    with pytest.raises(SourceError, match=r"REWARD_CERTAINTY: .*pip install 'shop-r1\[local\]'"):
        LocalSource(str(folders["qwen2"]))


COMMIT = "0123456789abcdef0123456789abcdef01234567"

FROM_THE_HUB = """
import sys
from reward_server.certainty.local import LocalSource
from reward_server.certainty.source import SourceError
for name, revision in [("tiny/qwen2", None), ("tiny/qwen2", "v1"), ("tiny/qwen2", "v2"), ("tiny/other", None)]:
    try:
        print(LocalSource(name, revision).model.revision)
    except SourceError as error:
        print(error)
"""


def test_a_hugging_face_id_is_pinned_to_the_commit_that_its_revision_is_now(
    folders: dict[str, Path], tmp_path: Path
) -> None:
    repository = tmp_path / "hub" / "models--tiny--qwen2"
    (repository / "refs").mkdir(parents=True)
    for name in ("main", "v1"):
        (repository / "refs" / name).write_text(COMMIT)
    shutil.copytree(folders["qwen2"], repository / "snapshots" / COMMIT)
    environment = {**os.environ, "HF_HOME": str(tmp_path), "HF_HUB_OFFLINE": "1"}
    environment.pop("HF_HUB_CACHE", None)
    done = subprocess.run(
        [sys.executable, "-c", FROM_THE_HUB], env=environment, capture_output=True, text=True, check=True, timeout=120
    )
    of_main, of_v1, of_v2, of_other = done.stdout.splitlines()
    assert of_main == of_v1 == COMMIT
    assert "'tiny/qwen2' at revision 'v2'" in of_v2
    assert "'tiny/other': there is no such folder here, and Hugging Face cannot be reached" in of_other

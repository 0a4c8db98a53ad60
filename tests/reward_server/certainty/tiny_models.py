"""Tiny causal language models with random weights and a real byte-level tokenizer, one folder each."""

from pathlib import Path
from typing import Literal

import torch
from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers
from transformers import AutoModelForCausalLM, Gemma2Config, LlamaConfig, Qwen2Config, Qwen3Config

Architecture = Literal["qwen2", "qwen3", "llama", "gemma2"]
"""gemma2 is the odd one: it caps its logits, and every other layer sees the last 64 tokens only."""

LONGEST = 8192
"""Tokens that the models read."""

_CONFIGS = {"qwen2": Qwen2Config, "qwen3": Qwen3Config, "llama": LlamaConfig, "gemma2": Gemma2Config}
_VOCAB_SIZE = 512
_SENTENCES = (
    '{"rationale": "It fits my budget and the reviews are good, so I buy it now.", '
    '"action": {"type": "click", "name": "add_to_cart.buy_now"}}',
    '{"rationale": "I am done shopping for today.", "action": {"type": "terminate"}}',
    '{"rationale": "I want a rice cooker that is cheap and small.", '
    '"action": {"type": "type_and_submit", "name": "search_input", "text": "small rice cooker"}}',
    "The page shows a rice cooker for 34 dollars, with a buy now button and a search box. What do you do next?",
    "<html><body><input name='search_input'><a name='add_to_cart'>Add to cart</a></body></html>",
)


def write_model(folder: Path, architecture: Architecture, seed: int) -> Path:
    """Write config.json, model.safetensors and tokenizer.json to a new folder, and return it.

    512 ids, of which the tokenizer knows the first 438; 2 layers of 2 heads of 32 dimensions. The weights are wide
    enough for certainties to differ: 1.5 to 4 nats of ln 512 = 6.2.
    """
    folder.mkdir(parents=True)
    tokenizer = _tokenizer()
    tokenizer.save(str(folder / "tokenizer.json"))
    torch.manual_seed(seed)
    config = _CONFIGS[architecture](
        vocab_size=_VOCAB_SIZE,
        hidden_size=64,
        intermediate_size=128,
        num_hidden_layers=2,
        num_attention_heads=2,
        num_key_value_heads=1,
        head_dim=32,
        max_position_embeddings=LONGEST,
        initializer_range=0.3,
        sliding_window=64 if architecture == "gemma2" else None,
        tie_word_embeddings=architecture != "llama",
        bos_token_id=None,
        eos_token_id=tokenizer.token_to_id("<|im_end|>"),
    )
    AutoModelForCausalLM.from_config(config).save_pretrained(folder)
    return folder


def _tokenizer() -> Tokenizer:
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=_VOCAB_SIZE - 16,
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        special_tokens=["<|endoftext|>", "<|im_start|>", "<|im_end|>"],
        show_progress=False,
    )
    tokenizer.train_from_iterator(_SENTENCES, trainer)
    return tokenizer

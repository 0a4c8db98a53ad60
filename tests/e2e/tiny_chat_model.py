"""Writes a tiny chat model with random weights to a folder, and its tokenizer to `tokenizer` in it.

Run by an interpreter that has transformers.

It says its words all but evenly at random. So some answers are one line, some have several, some are empty, and some go
on until they are cut: all that a client of a real model has to tell apart.
"""

import sys

import torch
from tokenizers import Tokenizer, decoders, models, pre_tokenizers
from transformers import PreTrainedTokenizerFast, Qwen2Config, Qwen2ForCausalLM

WORDS = "I want this a hat because it is warm red cheap my size need new one for winter so buy hat. winter. today. me."
VOCABULARY = ["<unk>", "<|im_start|>", "<|im_end|>", "\n", *(f"▁{word}" for word in WORDS.split())]
CHAT_TEMPLATE = (
    "{% for message in messages %}<|im_start|>{{ message.role }} {{ message.content }}<|im_end|>{% endfor %}"
    "{% if add_generation_prompt %}<|im_start|>assistant {% endif %}"
)


def write_model(folder: str) -> None:
    words = Tokenizer(models.WordLevel({word: number for number, word in enumerate(VOCABULARY)}, unk_token="<unk>"))
    words.pre_tokenizer = pre_tokenizers.Metaspace()
    words.decoder = decoders.Metaspace()
    tokenizer = PreTrainedTokenizerFast(tokenizer_object=words, unk_token="<unk>", eos_token="<|im_end|>")
    tokenizer.add_special_tokens({"additional_special_tokens": ["<|im_start|>"]})
    tokenizer.chat_template = CHAT_TEMPLATE
    # Beside the model's own files, transformers would read it as Qwen's tokenizer, whatever it is.
    tokenizer.save_pretrained(f"{folder}/tokenizer")
    torch.manual_seed(0)
    config = Qwen2Config(
        vocab_size=len(VOCABULARY),
        hidden_size=64,
        intermediate_size=64,
        num_hidden_layers=1,
        num_attention_heads=1,
        num_key_value_heads=1,
        max_position_embeddings=2048,
        bos_token_id=None,
        eos_token_id=VOCABULARY.index("<|im_end|>"),
    )
    Qwen2ForCausalLM(config).save_pretrained(folder)


if __name__ == "__main__":
    write_model(sys.argv[1])

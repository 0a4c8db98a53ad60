"""The tokenizer keeps every text, and is the same in both libraries that read it."""

import unicodedata
from pathlib import Path

import pytest
from tokenizers import Tokenizer
from transformers import AutoTokenizer, PreTrainedTokenizerBase, Qwen2Config

from tests.trainer.tiny_model.support import VOCABULARY, some_examples, some_tokenizer
from trainer.tiny_model.tokenizer import render, save_tokenizer, train_tokenizer

TEXTS = [
    '{"rationale": "I like it, so I choose size M.", "action": {"type": "terminate"}}',
    "search_results.red_wool_hat.view_product",
    " leading,  double and trailing ",
    "lines\r\n\n\tand\x00control\x1b[31m",
    r"escapes: \n \" é \ud83d\ude00",
    "日本語 und Grüße, 1234 ３ Ⅷ ﬁ",
    "👩‍👩‍👧 and \U0001f1eb\U0001f1f7 and a\u200bb",
    "cafe\u0301 is composed, Å too",
    "we'Ve I'LL 's 'S",
    "<|im_start|>user\nhi<|im_end|>\n<|endoftext|>x<|im_end|>",
    "< |im_start|> <|im_start |> <|nothing|>",
    "",
]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """As a model's folder, for transformers goes by what the model beside it is."""
    folder = tmp_path_factory.mktemp("tokenizer")
    save_tokenizer(some_tokenizer(), folder, 8192)
    Qwen2Config().save_pretrained(folder)
    return folder


@pytest.fixture(scope="module")
def of_transformers(folder: Path) -> PreTrainedTokenizerBase:
    return AutoTokenizer.from_pretrained(folder)


@pytest.mark.parametrize("text", TEXTS)
def test_any_text_comes_back_composed(text: str) -> None:
    ids = some_tokenizer().encode(text).ids
    assert some_tokenizer().decode(ids, skip_special_tokens=False) == unicodedata.normalize("NFC", text)


@pytest.mark.parametrize("text", TEXTS)
def test_both_libraries_read_the_same_tokens(text: str, folder: Path, of_transformers: PreTrainedTokenizerBase) -> None:
    ids = Tokenizer.from_file(str(folder / "tokenizer.json")).encode(text).ids
    assert ids == of_transformers(text)["input_ids"]
    assert ids == of_transformers(text, add_special_tokens=False)["input_ids"]


def test_the_chat_template_makes_of_messages_what_the_model_learns_from(
    of_transformers: PreTrainedTokenizerBase,
) -> None:
    messages = [{"role": "system", "content": "Shop."}, {"role": "user", "content": "Page:\n<p>{{ 1 }}</p>"}]
    rendered = of_transformers.apply_chat_template(messages, add_generation_prompt=True, tokenize=False)
    expected = "<|im_start|>system\nShop.<|im_end|>\n<|im_start|>user\nPage:\n<p>{{ 1 }}</p><|im_end|>\n"
    assert rendered == render(messages) == f"{expected}<|im_start|>assistant\n"
    assert of_transformers.apply_chat_template(messages, tokenize=False) == expected


def test_special_tokens_have_their_ids_and_end_what_they_end(of_transformers: PreTrainedTokenizerBase) -> None:
    assert some_tokenizer().encode("<|endoftext|><|im_start|><|im_end|>").ids == [0, 1, 2]
    assert (of_transformers.eos_token, of_transformers.pad_token) == ("<|im_end|>", "<|endoftext|>")
    assert of_transformers.decode([2, 0], skip_special_tokens=True) == ""


def test_an_answer_has_the_same_tokens_with_and_without_its_prompt() -> None:
    for example in some_examples():
        apart = some_tokenizer().encode(example.prompt).ids + some_tokenizer().encode(example.answer).ids
        assert some_tokenizer().encode(example.prompt + example.answer).ids == apart


def test_merges_make_what_was_seen_shorter() -> None:
    text = some_examples()[0].answer
    assert some_tokenizer().get_vocab_size() == VOCABULARY
    assert len(some_tokenizer().encode(text).ids) < len(train_tokenizer([], 259).encode(text).ids) / 2


def test_a_vocabulary_without_room_for_all_bytes_is_refused() -> None:
    with pytest.raises(ValueError, match="at least 259"):
        train_tokenizer([], 258)

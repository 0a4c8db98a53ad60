"""The model that ships: small, sensible, and surer of what shoppers say than of the same words in disorder."""

import asyncio
from pathlib import Path
from statistics import fmean

import pytest
import torch
from tokenizers import Tokenizer
from transformers import AutoTokenizer, Qwen2ForCausalLM

from reward_server.certainty.local import LocalSource
from reward_server.certainty.model_files import DEMO_MODEL
from reward_server.certainty.source import RationaleRequest
from trainer.sessions.prompt import answer_text
from trainer.sessions.storefront import Storefront
from trainer.tiny_model.examples import Example, examples
from trainer.tiny_model.measure import accuracy, greedy_answers

HELD_OUT_SHOP = 9
"""Neither learnt from nor measured on for the card."""


@pytest.fixture(scope="module")
def asked() -> list[Example]:
    return list(examples(Storefront(HELD_OUT_SHOP).sessions(40)))[:40]


@pytest.fixture(scope="module")
def source() -> LocalSource:
    return LocalSource(None)


def certainties(source: LocalSource, asked: list[Example], rationales: list[str], prompts: bool = True) -> list[float]:
    requests = [
        RationaleRequest(answer_text(example.action, rationale), example.prompt if prompts else None)
        for example, rationale in zip(asked, rationales, strict=True)
    ]
    return [each.value for each in asyncio.run(source.measure(requests, "kl_to_uniform"))]


def test_it_takes_at_most_three_megabytes() -> None:
    names = {file.name for file in DEMO_MODEL.iterdir()}
    assert names >= {"config.json", "model.safetensors", "tokenizer.json", "tokenizer_config.json", "README.md"}
    assert sum(file.stat().st_size for file in DEMO_MODEL.iterdir()) <= 3_000_000


def test_its_card_names_no_path_of_the_machine_it_was_made_on() -> None:
    card = (DEMO_MODEL / "README.md").read_text(encoding="utf-8")
    assert "python -m trainer.tiny_model FOLDER" in card
    assert str(Path.home()) not in card


def test_it_answers_unseen_pages_in_readable_json(asked: list[Example]) -> None:
    model = Qwen2ForCausalLM.from_pretrained(DEMO_MODEL, dtype=torch.float32)
    tokenizer = Tokenizer.from_file(str(DEMO_MODEL / "tokenizer.json"))
    answers = greedy_answers(model, tokenizer, [example.prompt for example in asked])
    # Always naming the commonest of three types would get some four in ten right.
    found = accuracy(answers, asked)
    assert found.valid > 0.95
    assert found.type > 0.4


def test_both_libraries_read_its_tokens_alike(asked: list[Example]) -> None:
    of_transformers = AutoTokenizer.from_pretrained(DEMO_MODEL)
    tokenizer = Tokenizer.from_file(str(DEMO_MODEL / "tokenizer.json"))
    for text in [*(example.prompt + example.answer for example in asked), "Grüße 日本 👩‍👩‍👧 \\n\t<|im_end|>"]:
        assert of_transformers(text)["input_ids"] == tokenizer.encode(text).ids


def test_it_is_surer_of_rationales_than_of_their_words_in_disorder(source: LocalSource, asked: list[Example]) -> None:
    true = certainties(source, asked, [example.rationale for example in asked])
    shuffled = certainties(source, asked, [" ".join(sorted(example.rationale.split())) for example in asked])
    assert sum(mine > other for mine, other in zip(true, shuffled, strict=True)) >= 36
    assert fmean(true) > fmean(shuffled) + 0.3


def test_it_is_surer_of_rationales_than_of_others_when_there_is_no_prompt(
    source: LocalSource, asked: list[Example]
) -> None:
    true = certainties(source, asked, [example.rationale for example in asked], prompts=False)
    shuffled = certainties(
        source, asked, [" ".join(sorted(example.rationale.split())) for example in asked], prompts=False
    )
    assert fmean(true) > fmean(shuffled) + 0.3


def test_it_has_seen_the_other_layout_of_prompts(source: LocalSource) -> None:
    asked = list(examples(Storefront(HELD_OUT_SHOP).sessions(10), ("full", "whole-session")))
    true = certainties(source, asked, [example.rationale for example in asked])
    shuffled = certainties(source, asked, [" ".join(sorted(example.rationale.split())) for example in asked])
    assert fmean(true) > fmean(shuffled) + 0.3

"""A million random pairs of strings: our ROUGE-L is the `rouge-score` package's to 1e-12."""

import random
from collections.abc import Iterator

import pytest
from rouge_score import rouge_scorer

from reward_server.reward.similarity import rouge_l, tokenize

pytestmark = pytest.mark.e2e

PAIRS = 1_000_000
WORDS = (
    "buy",
    "now",
    "add",
    "to",
    "cart",
    "view",
    "product",
    "4",
    "stars",
    "up",
    "search",
    "input",
    "refinements",
    "b0c1xyz",
)
SEPARATORS = (".", "_", "__", " ", "-", "\t", "/", " & ")
CHARACTERS = "aZ09_. -'\"éßİK日本語ﬁ한국𝒜🎁\u0301\u200d\x85\x00\ud800"


def name(rng: random.Random, longest: int) -> str:
    """A dotted name, such as a page's elements have."""
    return "".join(rng.choice(WORDS) + rng.choice(SEPARATORS) for _ in range(rng.randrange(longest)))


def noise(rng: random.Random, longest: int) -> str:
    """Any characters, those with odd case mappings among them."""
    return "".join(rng.choices(CHARACTERS, k=rng.randrange(longest)))


def changed(rng: random.Random, text: str) -> str:
    """The text with one piece cut out, in another case or doubled."""
    start = rng.randrange(len(text) + 1)
    end = min(len(text), start + rng.randrange(12))
    piece = rng.choice(("", text[start:end].upper(), text[start:end] * 2))
    return text[:start] + piece + text[end:]


def pairs(rng: random.Random) -> Iterator[tuple[str, str]]:
    for number in range(PAIRS):
        longest = 150 if number % 5_000 == 0 else 10
        kind = number % 4
        first = noise(rng, longest * 3) if kind == 0 else name(rng, longest)
        second = changed(rng, first) if kind < 3 else name(rng, longest)
        yield first, second


def test_a_million_pairs_agree_with_the_package() -> None:
    peer = rouge_scorer.RougeScorer(["rougeL"], use_stemmer=False)
    distinct = set()
    for prediction, target in pairs(random.Random(20250723)):
        ours = rouge_l(tokenize(prediction, "rouge-score"), tokenize(target, "rouge-score")).value
        theirs = peer.score(target, prediction)["rougeL"].fmeasure
        assert abs(ours - theirs) <= 1e-12, (prediction, target)
        distinct.add(round(ours, 9))
    assert len(distinct) > 100, "the pairs are not all alike or all different"

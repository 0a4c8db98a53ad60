"""ROUGE-L as the `rouge-score` package computes it (F-measure, no stemming), from integers instead of floats.

With L the length of the longest common subsequence of m predicted and n target tokens, the F-measure of precision L/m
and recall L/n is exactly 2L/(m+n). Keeping the two integers lets a threshold be compared without rounding.
"""

import unicodedata
from collections.abc import Sequence
from fractions import Fraction
from typing import Literal, NamedTuple

from rapidfuzz.distance import LCSseq

from reward_server.reward.stream_safe import stream_safe

Tokenizer = Literal["rouge-score", "unicode"]
Tokens = Sequence[bytes]

_ASCII_TOKENS = bytes(ord(chr(byte).lower()) if byte < 128 and chr(byte).isalnum() else ord(" ") for byte in range(256))

# Scripts written without spaces, where the character is the unit: Han, kana, and their extensions.
_CJK_RANGES = (
    (0x3005, 0x3007),
    (0x3040, 0x30FA),
    (0x30FC, 0x30FF),
    (0x31F0, 0x31FF),
    (0x3400, 0x4DBF),
    (0x4E00, 0x9FFF),
    (0xF900, 0xFAFF),
    (0x1B000, 0x1B16F),
    (0x20000, 0x3FFFF),
)


# More characters than any shop's texts use; the rest of Unicode is looked up each time.
_MOST_REMEMBERED = 20_000


class Similarity(NamedTuple):
    """ROUGE-L of two token sequences as the exact fraction `numerator / denominator`."""

    numerator: int
    """2 × the length of the longest common subsequence."""
    denominator: int
    """Tokens of both sides together; 1 when either side has none, so that the value is 0."""

    @property
    def value(self) -> float:
        """The F-measure, 0 to 1, correctly rounded."""
        return self.numerator / self.denominator

    def passes(self, threshold: "Threshold") -> bool:
        """Whether the similarity counts; compared in integers, so nothing is rounded."""
        return self.numerator >= 2 * threshold.least_common(self.denominator)


class Threshold(NamedTuple):
    """From where on a similarity counts, as the exact fraction `numerator / denominator`."""

    numerator: int
    denominator: int
    strict: bool
    """Whether a similarity must exceed the threshold rather than reach it."""

    @classmethod
    def from_decimal(cls, number: float, strict: bool) -> "Threshold":
        """The threshold as the decimal that was written: 0.8 means 4/5, not the double nearest to it."""
        return cls(*Fraction(repr(number)).as_integer_ratio(), strict)

    def least_common(self, total: int) -> int:
        """The fewest common tokens with which ROUGE-L of `total` tokens (both sides together) passes, in integers."""
        tokens, rest = divmod(self.numerator * total, 2 * self.denominator)
        return tokens + 1 if self.strict or rest else tokens


class _WordBreaks(dict[int, str | None]):
    """Translation table of the `unicode` tokenizer, filled as characters are met."""

    def __missing__(self, codepoint: int) -> str | None:
        character = chr(codepoint)
        category = unicodedata.category(character)
        replacement: str | None
        if category == "Cf":
            replacement = None
        elif category[0] in "ZPSC":
            replacement = " "
        elif any(first <= codepoint <= last for first, last in _CJK_RANGES):
            replacement = f" {character} "
        else:
            replacement = character
        if len(self) < _MOST_REMEMBERED:
            self[codepoint] = replacement
        return replacement


_WORD_BREAKS = _WordBreaks()


def tokenize(text: str, tokenizer: Tokenizer) -> list[bytes]:
    """Split text into the tokens ROUGE-L compares, each as UTF-8 bytes.

    `rouge-score` is the package's own rule: lower case, then runs of a–z and 0–9; everything else only separates.
    `unicode` knows every script: NFKC and case folding, then runs of letters, marks and digits, and each CJK character
    by itself. On ASCII text the two agree.
    """
    if text.isascii():
        return text.encode().translate(_ASCII_TOKENS).split()
    if tokenizer == "rouge-score":
        return text.lower().encode(errors="replace").translate(_ASCII_TOKENS).split()
    folded = unicodedata.normalize("NFKC", stream_safe(text)).casefold()
    return folded.translate(_WORD_BREAKS).encode().split()


def rouge_l(prediction: Tokens, target: Tokens) -> Similarity:
    """ROUGE-L F-measure of two token sequences; 0 when either is empty.

    Source: `rouge_score.rouge_scorer._score_lcs`, kept as an exact fraction.
    """
    if not prediction or not target:
        return Similarity(0, 1)
    return Similarity(2 * LCSseq.similarity(prediction, target), len(prediction) + len(target))


def credited_rouge_l(prediction: Tokens, target: Tokens, threshold: Threshold) -> float:
    """ROUGE-L where it passes the threshold, else 0; gives up early on predictions too long or too short to pass."""
    if not prediction or not target:
        return 0.0
    total = len(prediction) + len(target)
    needed = threshold.least_common(total)
    common = LCSseq.similarity(prediction, target, score_cutoff=needed)
    return 2 * common / total if common >= needed else 0.0

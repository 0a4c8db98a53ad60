"""Numbers and data as a reader sees them."""

from collections.abc import Mapping
from math import isfinite

from trainer.bootstrap import Interval
from trainer.evaluation.report.parts import Cell, Code, Prose

MOST_IN_WORDS = 4
"""Runs that a sentence names; the tables have all."""

MISSING = "–"
_MINUS = "−"


def visible(text: str) -> str:
    """The text with everything unprintable in it spelt out: controls, bidirectional overrides, surrogates, …"""
    return "".join(c if c.isprintable() else c.encode("unicode_escape", "surrogatepass").decode() for c in text)


def number(value: float | None, digits: int = 1) -> str:
    """A number with so many digits behind the point."""
    if value is None or not isfinite(value):
        return MISSING
    text = f"{abs(value):,.{digits}f}"
    return _MINUS + text if value < 0 and float(text.replace(",", "")) else text


def signed(value: float | None, digits: int = 1) -> str:
    """A number that says which way it goes."""
    text = number(value, digits)
    return text if text.startswith((MISSING, _MINUS)) else f"+{text}"


def p_value(value: float | None) -> str:
    """A p-value; it is never 0."""
    return "< 0.0001" if value is not None and value < 0.00005 else number(value, 4)


def share(value: float | None) -> str:
    """A share in percent, without the sign."""
    return number(None if value is None else 100 * value)


def bounds(interval: Interval | None) -> Interval | None:
    """The interval, if both its ends are numbers."""
    return interval if interval is not None and all(map(isfinite, interval)) else None


def bracketed(interval: Interval | None) -> str:
    """An interval in percent, without the sign: [25.6, 29.9]; "" where there is none."""
    ends = bounds(interval)
    return "" if ends is None else f"[{share(ends[0])}, {share(ends[1])}]"


def plain_bracketed(interval: Interval | None) -> str:
    """An interval as it is: [219.41, 268.03]; "" where there is none."""
    ends = bounds(interval)
    return "" if ends is None else f"[{number(ends[0], 2)}, {number(ends[1], 2)}]"


def from_to(interval: Interval) -> str:
    """An interval in percent within a sentence: 25.6 to 29.9."""
    return f"{share(interval[0])} to {share(interval[1])}"


def plural(count: int, noun: str) -> str:
    """A count with its noun: 1 rollout, 1,879 rollouts."""
    return f"{count:,} {noun}" if count == 1 else f"{count:,} {noun}s"


def shared(value: float | None, interval: Interval | None = None) -> Cell:
    """A cell with a share in percent and its interval."""
    return Cell((share(value),), bracketed(interval))


def counted(count: int) -> Cell:
    """A cell with a count."""
    return Cell((f"{count:,}",))


def said(*pieces: str) -> Cell:
    """A cell with text."""
    return Cell(pieces)


def action(fields: Mapping[str, str]) -> Prose:
    """An action: its type, then each field with its name."""
    pieces: list[str] = [Code(fields["type"])]
    for name, text in fields.items():
        if name != "type":
            pieces += [f" {name} ", Code(text)]
    return tuple(pieces)

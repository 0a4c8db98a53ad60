"""Tables of per-type figures, as papers print them: read from CSV, and refused where they cannot be true.

Columns: `run`, `type`, `rollouts`; `exact_count` or `exact_percent`; `type_count` or `type_percent`, the rollouts whose
type was right; and what was published over all types, `published_exact_percent`, `published_type_percent` and
`published_f1_percent`.
"""

import csv
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from math import ceil, floor
from typing import Literal, TextIO

from reward_server.reward.action import ActionSpace

Printing = Literal["rounded", "cut"]
"""How a figure got its few digits: the last one rounded, or those after it cut off."""

FIGURES = ("exact", "type")
"""What the rows have."""

PUBLISHED = (*FIGURES, "f1")
"""What may have been published over all types."""

_NUMBER = re.compile(r"(\d{1,12})(?:\.(\d{1,12}))?\s*%?", re.ASCII)
_COUNT = re.compile(r"\d{1,12}", re.ASCII)
_ALWAYS = ("run", "type", "rollouts")


class TableError(ValueError):
    """A table that cannot be read, or cannot be true: names the row and the column."""


@dataclass(frozen=True, slots=True)
class Percent:
    """A percentage as it was printed, with what its rounding leaves open."""

    text: str
    low: Fraction
    """The least share that is printed so."""
    high: Fraction
    """The largest."""
    cut_below: Fraction
    """The least share that even cutting the digits off, instead of rounding, prints higher."""

    @classmethod
    def read(cls, text: str) -> "Percent":
        """From its digits, such as 7.39 or 7.39%. Raises ValueError saying why not."""
        found = _NUMBER.fullmatch(text)
        if found is None:
            raise ValueError("is not a plain percentage from 0 to 100, such as 7.39")
        whole, decimals = found[1], found[2] or ""
        value = Fraction(int(whole + decimals), 10 ** len(decimals))
        if value > 100:
            raise ValueError("is above 100 %")
        half = Fraction(1, 2 * 10 ** len(decimals))
        low, high = max(value - half, Fraction(0)), min(value + half, Fraction(100))
        return cls(text, low / 100, high / 100, (value + 2 * half) / 100)

    @property
    def middle(self) -> Fraction:
        """The share that the digits say."""
        return Fraction(self.text.rstrip(" %")) / 100

    def printing(self, low: Fraction, high: Fraction) -> Printing | None:
        """How a share between the bounds may have been printed so; None where it cannot have been."""
        if low <= self.high and high >= self.low:
            return "rounded"
        return "cut" if self.middle <= low < self.cut_below else None


@dataclass(frozen=True, slots=True)
class Hits:
    """How many rollouts were right: the likeliest number, and the bounds that rounding leaves."""

    likeliest: Fraction
    low: Fraction
    high: Fraction
    whole: bool
    """False where no whole number of rollouts makes the percentage."""

    @classmethod
    def of_count(cls, count: int) -> "Hits":
        """From a number that is known."""
        return cls(Fraction(count), Fraction(count), Fraction(count), True)

    @classmethod
    def of_percent(cls, percent: Percent, rollouts: int) -> "Hits":
        """From a percentage: the whole numbers that are printed so, or, where there are none, the bounds themselves."""
        low, middle, high = percent.low * rollouts, percent.middle * rollouts, percent.high * rollouts
        if ceil(low) > floor(high):
            return cls(middle, low, high, False)
        return cls(Fraction(floor(middle + Fraction(1, 2))), Fraction(ceil(low)), Fraction(floor(high)), True)


@dataclass(frozen=True, slots=True)
class TypeRow:
    """One row: the rollouts of one label type in one run."""

    rollouts: int
    hits: Mapping[str, Hits]
    """`exact` and `type`."""


@dataclass(frozen=True, slots=True)
class PublishedRun:
    """The rows of one run, and its overall figures where they were published."""

    name: str
    types: Mapping[str, TypeRow]
    overall: Mapping[str, Percent]
    """`exact`, `type` and `f1`, where they were published."""


def read_table(file: TextIO, space: ActionSpace) -> list[PublishedRun]:
    """The runs of a table, in order. Raises TableError."""
    try:
        lines = [line for line in csv.reader(file, strict=True) if any(map(str.strip, line))]
    except csv.Error as error:
        raise TableError(f"not CSV: {error}") from None
    except UnicodeDecodeError as error:
        raise TableError(f"not UTF-8: {error.reason} at byte {error.start}") from None
    if len(lines) < 2:
        raise TableError("it has no rows")
    header = [name.strip() for name in lines[0]]
    units = _units(header)
    runs: dict[str, tuple[dict[str, TypeRow], dict[str, Percent]]] = {}
    for number, line in enumerate(lines[1:], 1):
        if len(line) != len(header):
            raise TableError(f"row {number} has {len(line)} cells, and the header {len(header)}")
        row = _Row(number, dict(zip(header, map(str.strip, line), strict=True)))
        types, overall = runs.setdefault(row.cells["run"], ({}, {}))
        name = row.cells["type"]
        if name not in space:
            raise row.error("type", f"is no action type of the spec, which has {', '.join(space)}")
        if name in types:
            raise row.error("type", "stands twice in this run")
        types[name] = _type_row(row, units, space[name])
        _add_overall(row, overall)
    return [PublishedRun(name, types, overall) for name, (types, overall) in runs.items()]


@dataclass(frozen=True, slots=True)
class _Row:
    number: int
    """Counted from 1, without the header and blank lines."""
    cells: Mapping[str, str]

    def error(self, column: str, reason: str) -> TableError:
        place = f"row {self.number} ({self.cells['run']}, {self.cells['type']})"
        return TableError(f"{place}: {column} {self.cells[column]!r} {reason}")

    def percent(self, column: str) -> Percent:
        try:
            return Percent.read(self.cells[column])
        except ValueError as error:
            raise self.error(column, str(error)) from None

    def count(self, column: str) -> int:
        if not _COUNT.fullmatch(self.cells[column]):
            raise self.error(column, "is not a whole number of rollouts")
        return int(self.cells[column])


def _units(header: Sequence[str]) -> dict[str, str]:
    """The column that holds each figure. Raises TableError for columns that are missing, unknown or there twice."""
    units = {}
    for figure in FIGURES:
        columns = [name for name in (f"{figure}_count", f"{figure}_percent") if name in header]
        if len(columns) != 1:
            raise TableError(f"it needs one of the columns {figure}_count and {figure}_percent")
        units[figure] = columns[0]
    known = {*_ALWAYS, *units.values(), *(f"published_{figure}_percent" for figure in PUBLISHED)}
    _refuse("it lacks the column", (name for name in _ALWAYS if name not in header))
    _refuse("it has an unknown column", (name for name in header if name not in known))
    _refuse("it has twice the column", (name for name in header if header.count(name) > 1))
    return units


def _refuse(what: str, names: Iterable[str]) -> None:
    for name in names:
        raise TableError(f"{what} {name!r}")


def _type_row(row: _Row, units: Mapping[str, str], fields: tuple[str, ...]) -> TypeRow:
    rollouts = row.count("rollouts")
    if not rollouts:
        raise row.error("rollouts", "leaves nothing to be a share of")
    hits = {figure: _hits(row, column, rollouts) for figure, column in units.items()}
    if hits["exact"].low > hits["type"].high:
        right = f"{units['type']} {row.cells[units['type']]!r}"
        raise row.error(units["exact"], f"is above {right}: an exact match has the right type, too")
    if not fields and hits["exact"].high < hits["type"].low:
        right = f"{units['type']} {row.cells[units['type']]!r}"
        raise row.error(units["exact"], f"is under {right}: an action without fields is exact once its type is right")
    return TypeRow(rollouts, hits)


def _hits(row: _Row, column: str, rollouts: int) -> Hits:
    if column.endswith("_percent"):
        return Hits.of_percent(row.percent(column), rollouts)
    count = row.count(column)
    if count > rollouts:
        raise row.error(column, f"is above the {rollouts} rollouts there are")
    return Hits.of_count(count)


def _add_overall(row: _Row, overall: dict[str, Percent]) -> None:
    for figure in PUBLISHED:
        column = f"published_{figure}_percent"
        if not row.cells.get(column):
            continue
        percent = row.percent(column)
        if overall.setdefault(figure, percent) != percent:
            raise row.error(column, f"differs from the run's {overall[figure].text!r} above it")

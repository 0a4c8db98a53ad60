"""What a report is made of, whether it is written as HTML or as Markdown."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar, NamedTuple, TypeAlias

if TYPE_CHECKING:
    from matplotlib.figure import Figure


class Code(str):
    """Data and names, shown as they stand in a fixed-width font."""

    __slots__ = ()


class Strong(str):
    """What the eye should find first."""

    __slots__ = ()


Prose: TypeAlias = tuple[str, ...]
"""Running text, in pieces: plain, `Code` or `Strong`."""


class Column(NamedTuple):
    """How a column of a table is headed."""

    name: str
    number: bool = True
    """Whether it is aligned as numbers are."""


class Cell(NamedTuple):
    """What stands in a cell."""

    text: Prose
    interval: str = ""
    """Shown after the text, less loudly."""


class Row(NamedTuple):
    """A row of a table, its head first."""

    cells: Sequence[Cell]
    strong: bool = False
    """Whether this is the row that the table is about."""


@dataclass(frozen=True)
class Paragraph:
    """Running text."""

    kind: ClassVar[str] = "paragraph"
    text: Prose


@dataclass(frozen=True)
class Points:
    """A list without an order."""

    kind: ClassVar[str] = "points"
    items: Sequence[Prose]


@dataclass(frozen=True)
class Table:
    """A table whose first column heads its rows."""

    kind: ClassVar[str] = "table"
    caption: str
    columns: Sequence[Column]
    rows: Sequence[Row]
    folded: bool = False
    """Whether it only says again what a plot shows, and opens on demand."""


@dataclass(frozen=True)
class Plot:
    """A drawing."""

    kind: ClassVar[str] = "plot"
    name: str
    """Of its file, without an ending; one of its own in each report."""
    alt: str
    """The key figures in words, for those who do not see it."""
    caption: str
    draw: Callable[[int], "Figure"]
    """Draws it for so many pixels of width."""


Block: TypeAlias = Paragraph | Points | Table | Plot


class Section(NamedTuple):
    """Blocks under a heading."""

    name: str
    """For links to it; one of its own in each report."""
    title: str
    blocks: Sequence[Block]


class Report(NamedTuple):
    """A report on one run or on several."""

    title: Prose
    facts: Sequence[tuple[str, Prose]]
    """What was evaluated: name and value."""
    verdict: Prose
    cautions: Sequence[Block]
    """What must be known before the figures are read."""
    sections: Sequence[Section]
    runs: Sequence["Report"] = ()
    """The reports on each run, where this one compares several."""

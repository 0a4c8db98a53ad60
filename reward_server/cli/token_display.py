"""Certainties token by token, for a terminal: as a coloured line, and as numbers where there are no colours."""

from math import log

from rich.cells import cell_len
from rich.color import Color
from rich.console import Console, ConsoleOptions, RenderResult
from rich.style import Style
from rich.text import Text

from reward_server.certainty.local import TokenCertainties
from reward_server.certainty.source import Kind
from reward_server.terminal import visible

_VIRIDIS = ((68, 1, 84), (59, 82, 139), (33, 145, 140), (94, 201, 98), (253, 231, 37))
"""From dark to light, so that it reads in every kind of colour vision, and in grey."""
_LIGHT = 0.45
"""From where on black is easier to read on it than white."""
_BLACK, _WHITE = Color.from_rgb(0, 0, 0), Color.from_rgb(255, 255, 255)
_LEGEND_CELLS = 12
_NOT_COUNTED = "-"


class Scale:
    """Where a certainty lies between uniform, 0, and the most there is: ln V, and that over V by kind.

    KL(U‖p) has no most: its scale ends at the text's own highest.
    """

    def __init__(self, told: TokenCertainties, kind: Kind, vocab_size: int) -> None:
        if kind == "kl_from_uniform":
            self.top = max(told.counted, default=0.0) or 1.0
            self.top_name = "the highest here (there is no limit)"
        elif kind == "kl_to_uniform_over_vocab":
            self.top = log(vocab_size) / vocab_size
            self.top_name = f"ln V / V, certain (V = {vocab_size:,})"
        else:
            self.top = log(vocab_size)
            self.top_name = f"ln V, certain (V = {vocab_size:,})"

    def share(self, value: float) -> float:
        """Between 0 and 1."""
        return min(max(value / self.top, 0.0), 1.0)

    def words(self) -> str:
        """What its ends mean."""
        return f"0 = uniform … {number(self.top)} = {self.top_name}"


def number(value: float) -> str:
    """Three significant digits."""
    return f"{value:.2f}" if value >= 1 else f"{value:.3g}"


def coloured(told: TokenCertainties, scale: Scale) -> Text:
    """The text, each averaged token on the colour of its certainty, the others dim.

    A character that is several tokens has the colour of the first.
    """
    line = Text(overflow="fold")
    for index, (piece, value) in enumerate(zip(told.pieces, told.values, strict=True)):
        is_counted = value is not None and told.start <= index < told.end
        line.append(visible(piece), _style(scale.share(value)) if value is not None and is_counted else "dim")
    return line


def legend() -> Text:
    """The colours from end to end."""
    bar = Text()
    for cell in range(_LEGEND_CELLS):
        bar.append(" ", _style(cell / (_LEGEND_CELLS - 1)))
    return bar.append(" ")


class Numbers:
    """Each token with its certainty under it, as many to a line as fit; `-` for those that are not averaged."""

    def __init__(self, told: TokenCertainties) -> None:
        self._cells = []
        for index, (piece, value) in enumerate(zip(told.pieces, told.values, strict=True)):
            is_counted = value is not None and told.start <= index < told.end
            token = visible(piece).replace(" ", "·") or "…"
            self._cells.append((token, number(value) if value is not None and is_counted else _NOT_COUNTED))

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        tokens = values = ""
        for token, value in self._cells:
            width = max(cell_len(token), len(value))
            if tokens and cell_len(tokens) + width > options.max_width:
                yield from (Text(tokens), Text(values), Text())
                tokens = values = ""
            tokens += token + " " * (width - cell_len(token) + 1)
            values += value.ljust(width + 1)
        yield from (Text(tokens), Text(values))


def _style(share: float) -> Style:
    position = share * (len(_VIRIDIS) - 1)
    below = min(int(position), len(_VIRIDIS) - 2)
    part = position - below
    red, green, blue = (round(a + (b - a) * part) for a, b in zip(_VIRIDIS[below], _VIRIDIS[below + 1], strict=True))
    return Style(color=_BLACK if share > _LIGHT else _WHITE, bgcolor=Color.from_rgb(red, green, blue))

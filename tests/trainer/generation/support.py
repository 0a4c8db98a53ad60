"""RL rows of the storefront, as `shop-r1 data rl` builds them, for the demo model."""

from pathlib import Path
from typing import Any

import orjson

from reward_server.certainty.model_files import DEMO_MODEL
from reward_server.specs import find_spec
from trainer.generation.rows import Row
from trainer.sessions.context import Layout
from trainer.sessions.datasets import Builder, Built
from trainer.sessions.files import Located
from trainer.sessions.rules import Rules
from trainer.sessions.storefront import Storefront

SPACE = find_spec("shop-r1").action_space
MODEL = str(DEMO_MODEL)
LONGEST_ANSWER = 64
"""Tokens; the shoppers' own have at most 60."""


def rl_rows(number: int, shop: int = 9) -> list[dict[str, Any]]:
    """The first rows of a shop that the demo model has never seen."""
    builder = Builder(Layout(SPACE, "latest-step", "short"), Rules(SPACE))
    sessions = (Located("storefront", 1, session) for session in Storefront(shop).sessions(number))
    built = [each for each in builder.rl(sessions) if isinstance(each, Built)]
    return [each.row for each in built[:number]]


def write_rows(file: Path, rows: list[dict[str, Any]]) -> Path:
    """The rows as a file."""
    file.write_bytes(b"".join(orjson.dumps(row, option=orjson.OPT_APPEND_NEWLINE) for row in rows))
    return file


def as_row(row: dict[str, Any], line: int = 1) -> Row:
    """A row as it is read."""
    return Row(line, row["id"], row["prompt"], {"id": row["id"], "label": row["label"]})

"""Ten example rollouts against terms that were derived on paper: see terms_by_hand.md beside this file."""

import ast
import json
from operator import add, mul, truediv
from pathlib import Path

import pytest

from reward_server.reward.action import read_label
from reward_server.reward.completion import parse
from reward_server.reward.score import ScoreCard, prepare, score
from reward_server.reward.spec import load_preset

SPEC = load_preset("shop-r1-no-rationale")
_OPERATORS = {ast.Add: add, ast.Mult: mul, ast.Div: truediv}


def rows_on_paper() -> list[dict[str, str]]:
    lines = Path(__file__).with_name("terms_by_hand.md").read_text(encoding="utf-8").splitlines()
    cells = [[cell.strip() for cell in line.strip("|").split("|")] for line in lines if line.startswith("|")]
    header, _, *rows = cells
    return [dict(zip(header, row, strict=True)) for row in rows]


def number(expression: str) -> float:
    """A number, or a sum, product or quotient of numbers."""

    def value(node: ast.expr) -> float:
        if isinstance(node, ast.BinOp):
            return float(_OPERATORS[type(node.op)](value(node.left), value(node.right)))
        assert isinstance(node, ast.Constant)
        return float(node.value)

    return value(ast.parse(expression, mode="eval").body)


def scored(rollout_id: str, examples: Path) -> ScoreCard:
    rollouts = map(json.loads, examples.read_text(encoding="utf-8").splitlines())
    rollout = next(rollout for rollout in rollouts if rollout["id"] == rollout_id)
    target = prepare(read_label(rollout["label"], SPEC.action_space), SPEC)
    return score(parse(rollout["completion"], SPEC), target, None)


def test_the_table_has_ten_rows() -> None:
    assert len(rows_on_paper()) == 10


@pytest.mark.parametrize("row", rows_on_paper(), ids=lambda row: row["id"])
def test_the_program_agrees_with_the_paper(row: dict[str, str], examples: Path) -> None:
    card = scored(row["id"], examples)
    for term in ("format", "type", "attribute", "value"):
        assert getattr(card.terms, term) == pytest.approx(number(row[term]), abs=1e-9), term
    assert card.reward == pytest.approx(number(row["reward"]), abs=1e-9)
    assert card.terms.certainty == 0
    assert (card.reason or "") == row["reason"]
    assert card.exact_match == (row["exact_match"] == "yes")

"""Groups by what tells their rollouts apart."""

from pathlib import Path

import orjson
import pytest

from trainer.miniature.deciding_terms import deciding_terms


def line(group: str, **terms: float) -> bytes:
    whole = {"value": 0.0, "attribute": 0.0, "type": 0.3, "format": 0.5, "certainty": 0.03, **terms}
    return orjson.dumps({"group": group, "result": {"terms": whole}}, option=orjson.OPT_APPEND_NEWLINE)


def test_the_weightiest_term_that_differs_decides(tmp_path: Path) -> None:
    first = line("a", value=1000.0, certainty=0.02) + line("b", type=0.0) + line("c") + line("d")
    second = line("a", type=0.0) + line("b", certainty=0.01) + line("c", certainty=0.031) + line("d")
    (tmp_path / "one.jsonl").write_bytes(first)
    (tmp_path / "other.jsonl").write_bytes(second)
    assert deciding_terms(tmp_path) == pytest.approx(
        {"value": 0.25, "attribute": 0, "type": 0.25, "format": 0, "certainty": 0.25, "nothing": 0.25}
    )


def test_rounding_is_no_difference(tmp_path: Path) -> None:
    (tmp_path / "one.jsonl").write_bytes(line("a", certainty=0.1 + 0.2) + line("a", certainty=0.3))
    assert deciding_terms(tmp_path)["nothing"] == 1

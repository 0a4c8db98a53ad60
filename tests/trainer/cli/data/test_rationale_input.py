"""Sessions that are read twice."""

import json
from pathlib import Path

import pytest

from tests.trainer.sessions.support import shopping
from trainer.cli.data.rationale_input import TwoPasses
from trainer.rationales.stop import Stop


@pytest.fixture
def file(tmp_path: Path) -> Path:
    file = tmp_path / "sessions.jsonl"
    file.write_text("".join(json.dumps(shopping(f"s{number}")) + "\n" for number in range(3)))
    return file


def test_both_passes_give_the_same_sessions(file: Path) -> None:
    with file.open("rb") as source:
        sessions = TwoPasses(source, file.name, None, skip_bad=False)
        first = list(sessions.first("reading"))
        assert [session.session for session in first] == ["s0", "s1", "s2"]
        assert list(sessions.second()) == first


def test_a_limit_holds_for_both(file: Path) -> None:
    with file.open("rb") as source:
        sessions = TwoPasses(source, file.name, 2, skip_bad=False)
        assert len(list(sessions.first("reading"))) == len(list(sessions.second())) == 2


@pytest.mark.parametrize("broken", [0, 1, 2])
def test_a_line_that_turned_bad_between_the_passes_is_not_left_out_silently(file: Path, broken: int) -> None:
    with file.open("rb") as source:
        sessions = TwoPasses(source, file.name, None, skip_bad=False)
        list(sessions.first("reading"))
        lines = file.read_bytes().splitlines(keepends=True)
        lines[broken] = b"broken\n"
        file.write_bytes(b"".join(lines))
        with pytest.raises(Stop, match=r"sessions\.jsonl changed while it was read"):
            list(sessions.second())

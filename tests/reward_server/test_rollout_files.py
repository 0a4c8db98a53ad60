"""Rollout files: scored line by line, in order, whatever the lines are."""

import asyncio
import json
from collections.abc import Sequence
from io import BytesIO
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reward_server import json_lines, wire
from reward_server.certainty.rollout import RolloutSource
from reward_server.certainty.source import Certainty, Kind, RationaleRequest, SourceUnavailable
from reward_server.reward.spec import load_preset
from reward_server.rollout_files import BadLine, ScoredLine, score_lines
from reward_server.scoring import Scorer

STOP = '{"rationale": "I am done.", "action": {"type": "terminate"}}'
GOOD = json.dumps({"completion": STOP, "label": {"type": "terminate"}}).encode()
BAD = b'{"completion": "x", "label": {"type": "hover"}}'
BROKEN = b'{"completion": '
BLANK = b" \t"

plain = Scorer(load_preset("shop-r1-no-rationale"), None)
full = Scorer(load_preset("shop-r1"), RolloutSource())

JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**63), 2**64 - 1) | st.floats(allow_nan=False) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=5,
)


def scored(content: bytes, scorer: Scorer = plain) -> list[ScoredLine | BadLine]:
    return list(score_lines(BytesIO(content), scorer))


def line(**fields: object) -> bytes:
    return json.dumps({"completion": STOP, "label": {"type": "terminate"}, **fields}).encode()


def evidence(*rows: list[float]) -> dict[str, object]:
    return {"vocab_size": 4, "top_logprobs": rows}


@given(st.lists(st.sampled_from([GOOD, BAD, BROKEN, BLANK, b""]), max_size=600), st.sampled_from([b"\n", b"\r\n"]))
def test_every_line_that_is_not_blank_has_one_outcome_under_its_number_in_order(lines: list[bytes], end: bytes) -> None:
    content = end.join(lines)
    outcomes = scored(content)
    assert [(item.line, isinstance(item, ScoredLine)) for item in outcomes] == [
        (number, text == GOOD) for number, text in enumerate(lines, 1) if text.strip()
    ]
    assert all(content[: item.end].count(b"\n") in (item.line, item.line - 1) for item in outcomes)
    assert all(content[item.end - 1 : item.end] == b"\n" or item.end == len(content) for item in outcomes)


def test_a_rollout_at_fault_takes_none_of_its_neighbours_along() -> None:
    good = line(certainty=evidence([0.0]))
    lines = [good, line(label={"type": "hover"}), line(), good, line(certainty=evidence()), line(completion="no json")]
    outcomes = scored(b"\n".join(lines), full)
    assert [(item.line, item.pointer) for item in outcomes if isinstance(item, BadLine)] == [
        (2, "/label/type"),
        (3, "/certainty"),
        (5, "/certainty/top_logprobs"),
    ]
    rewards = [(item.line, item.scored.card.reward) for item in outcomes if isinstance(item, ScoredLine)]
    certain = 0.8 + 0.005 * 1.3862943611198906  # one token of probability 1 among V = 4: ln 4
    assert rewards == [(1, pytest.approx(certain)), (4, pytest.approx(certain)), (6, 0)]


@pytest.mark.parametrize(
    ("content", "pointer", "reason"),
    [
        (b"[]", "", "a rollout is a JSON object"),
        (b"null", "", "a rollout is a JSON object"),
        (b"\x00", "", "not JSON"),
        (GOOD + GOOD, "", "not JSON"),
        (b'{"completion": "x"}', "/label", "required"),
        (line(id=7), "/id", "string"),
        (line(certainty=evidence([0.5])), "/certainty/top_logprobs/0/0", "less than or equal to 0"),
        (line(certainty={"vocab_size": 1, "top_logprobs": []}), "/certainty/vocab_size", "2"),
        (line(prompt_token_ids=[3, -1]), "/prompt_token_ids/1", "greater than or equal to 0"),
        (line(id="\ud800"), "/id", "surrogate"),
        (line(label={"type": "click", "name": 3}), "/label/name", "string, not a number"),
        (line(label={"action": None}), "/label/action", "null"),
    ],
)
def test_a_bad_line_points_at_its_fault(content: bytes, pointer: str, reason: str) -> None:
    (item,) = scored(content)
    assert isinstance(item, BadLine)
    assert (item.line, item.pointer) == (1, pointer)
    assert reason in item.reason


@pytest.mark.parametrize("broken", [b"\xff", b"\\ud800", b"\xed\xa0\x80"], ids=["0xff", "escaped half", "encoded half"])
def test_text_that_is_not_unicode_is_the_models_doing_where_the_model_wrote_it(broken: bytes) -> None:
    (item,) = scored(b'{"completion": "' + broken + b'", "label": {"type": "terminate"}}')
    assert isinstance(item, ScoredLine)
    assert json.loads(item.as_json())["reason"] == "not_json"


def test_a_result_is_the_wires_with_its_line() -> None:
    (item,) = scored(b"\n" + line(id="a", group="b"))
    assert isinstance(item, ScoredLine)
    assert item.as_json().endswith(b"}\n")
    result = json.loads(item.as_json())
    assert result.pop("line") == 2
    assert wire.Result.model_validate(result).model_dump() == result
    assert (result["id"], result["group"], result["reward"], result["action"]) == ("a", "b", 0.8, {"type": "terminate"})


@pytest.mark.parametrize("filler", [b"", b"\n", b"x" * 2_000 + b"\n"], ids=["rollouts", "blank lines", "bad lines"])
def test_only_a_part_of_the_file_is_read_ahead(filler: bytes) -> None:
    unit = GOOD + b"\n" + filler
    file = BytesIO(unit * 5_000)
    outcomes = score_lines(file, plain)
    next(outcomes)
    assert file.tell() < len(unit) * 500
    assert sum(1 for _ in outcomes) + 1 == 5_000 * sum(1 for text in unit.split(b"\n") if text)


@pytest.mark.parametrize("tail", [b"\n", b"\n" + GOOD, b""], ids=["end", "another line", "no newline"])
@pytest.mark.parametrize("excess", [1, 2, 999, 1_000, 1_001, 5_000])
def test_a_line_over_the_limit_is_bad_and_nothing_else_is(
    excess: int, tail: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(json_lines, "LONGEST_LINE", 1_000)
    long = line(prompt="x" * (1_000 + excess - len(line(prompt=""))))
    content = GOOD + b"\n" + long + tail
    outcomes = scored(content)
    assert [type(item) for item in outcomes] == [ScoredLine, BadLine, ScoredLine][: 2 + (tail[1:] == GOOD)]
    assert outcomes[1].line == 2
    assert isinstance(outcomes[1], BadLine)
    assert "1,000 bytes" in outcomes[1].reason
    assert outcomes[-1].end == len(content)


def test_a_line_of_just_the_limit_is_scored(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(json_lines, "LONGEST_LINE", 1_000)
    content = line(prompt="x" * (999 - len(line(prompt="")))) + b"\n"
    assert len(content) == 1_000
    assert [type(item) for item in scored(content + content)] == [ScoredLine, ScoredLine]


@given(st.binary(max_size=300))
def test_no_bytes_whatsoever_stop_the_reading(content: bytes) -> None:
    expected = [number for number, text in enumerate(content.split(b"\n"), 1) if text.strip()]
    assert [item.line for item in scored(content)] == expected


@given(
    st.fixed_dictionaries(
        {"completion": JSON | st.just(STOP), "label": JSON | st.just({"type": "terminate"})},
        optional={
            "certainty": JSON | st.fixed_dictionaries({"vocab_size": JSON | st.just(4), "top_logprobs": JSON}),
            **dict.fromkeys(["id", "group", "prompt", "prompt_token_ids", "x"], JSON),
        },
    )
)
def test_no_json_whatsoever_stops_the_reading(rollout: dict[str, Any]) -> None:
    content = json.dumps(rollout).encode()
    assert [item.line for item in scored(content + b"\n" + GOOD)] == [1, 2]
    assert [item.line for item in scored(content + b"\n" + GOOD, full)] == [1, 2]


class Watched(RolloutSource):
    """The source `rollout`, with a note of the event loops that it is used in; it fails on the batch after `fails`."""

    def __init__(self, fails: int = 1_000) -> None:
        self.measured: list[asyncio.AbstractEventLoop] = []
        self.closed: list[asyncio.AbstractEventLoop] = []
        self._fails = fails

    async def measure(self, requests: Sequence[RationaleRequest], kind: Kind) -> list[Certainty]:
        if len(self.measured) == self._fails:
            raise SourceUnavailable("gone")
        self.measured.append(asyncio.get_running_loop())
        return await super().measure(requests, kind)

    async def close(self) -> None:
        self.closed.append(asyncio.get_running_loop())


def test_a_source_is_used_and_closed_in_one_event_loop_for_the_whole_file() -> None:
    source = Watched()
    content = b"\n".join([line(certainty=evidence([0.0]))] * 1_000)
    assert len(scored(content, Scorer(load_preset("shop-r1"), source))) == 1_000
    assert len(source.measured) > 1
    assert len(source.closed) == 1
    assert set(source.measured) == set(source.closed)


def test_a_source_that_cannot_answer_ends_the_file_and_is_no_bad_line() -> None:
    source = Watched(fails=1)
    outcomes = score_lines(BytesIO(b"\n".join([line(certainty=evidence([0.0]))] * 1_000)), Scorer(full.spec, source))
    seen = []
    with pytest.raises(SourceUnavailable, match="gone"):
        seen.extend(outcomes)
    assert 0 < len(seen) < 1_000
    assert all(isinstance(item, ScoredLine) for item in seen)
    assert len(source.closed) == 1

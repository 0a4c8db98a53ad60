"""Rollout files: JSON lines of `wire.Rollout`, read and scored in a stream, so that size costs no memory."""

import asyncio
from collections.abc import Iterator
from dataclasses import dataclass
from typing import BinaryIO

import orjson
from pydantic import ValidationError

from reward_server import wire
from reward_server.decoding import DecodeError, decode, pointer
from reward_server.json_lines import json_lines, too_long
from reward_server.scoring import BatchError, Scored, Scorer, to_wire

_CHUNK_LINES = 256
_CHUNK_BYTES = 32 * 2**20


@dataclass(frozen=True, slots=True)
class Line:
    """Where a rollout stands in its file."""

    line: int
    """Counted from 1."""
    end: int
    """Bytes of the file up to and with this line."""


@dataclass(frozen=True, slots=True)
class BadLine(Line):
    """A line that cannot be scored, through no fault of the completion in it."""

    pointer: str
    """The JSON pointer of the field at fault."""
    reason: str


@dataclass(frozen=True, slots=True)
class ScoredLine(Line):
    """A line with its score."""

    rollout: wire.Rollout
    scored: Scored

    def as_json(self) -> bytes:
        """The result as the wire has it, and the line it belongs to."""
        return orjson.dumps({"line": self.line, **to_wire(self.rollout, self.scored)}, option=orjson.OPT_APPEND_NEWLINE)


@dataclass(frozen=True, slots=True)
class _Parsed(Line):
    rollout: wire.Rollout


def score_lines(
    file: BinaryIO, scorer: Scorer, row: type[wire.Rollout] = wire.Rollout
) -> Iterator[ScoredLine | BadLine]:
    """Score a rollout file line by line, in order; blank lines do not count. Reads a bounded part of it at a time.

    Rollouts come as `row`s, for who needs more of a line than scoring does. The scorer's certainty source is closed at
    the end; raises SourceError when it fails, which is no line's fault.
    """
    # One event loop for all: connections that a source keeps open belong to the loop they were made in.
    with asyncio.Runner() as runner:
        try:
            for chunk in _chunks(file, row):
                outcomes = _score([item for item in chunk if isinstance(item, _Parsed)], scorer, runner)
                for item in chunk:
                    yield outcomes[item.line] if isinstance(item, _Parsed) else item
        finally:
            if scorer.source is not None:
                runner.run(scorer.source.close())


def _score(lines: list[_Parsed], scorer: Scorer, runner: asyncio.Runner) -> dict[int, ScoredLine | BadLine]:
    """Outcomes by line number. A batch stands or falls as a whole, so the rollouts at fault are taken out of it."""
    outcomes: dict[int, ScoredLine | BadLine] = {}
    while lines:
        try:
            batch = runner.run(scorer.score([item.rollout for item in lines]))
        except BatchError as error:
            for fault in error.faults:
                item = lines[fault.index]
                outcomes[item.line] = BadLine(item.line, item.end, pointer(fault.path), fault.reason)
            lines = [item for item in lines if item.line not in outcomes]
        else:
            for item, scored in zip(lines, batch, strict=True):
                outcomes[item.line] = ScoredLine(item.line, item.end, item.rollout, scored)
            break
    return outcomes


def _chunks(file: BinaryIO, row: type[wire.Rollout]) -> Iterator[list[_Parsed | BadLine]]:
    """The file's lines, read some at a time."""
    chunk: list[_Parsed | BadLine] = []
    start = 0
    for number, end, line in json_lines(file):
        chunk.append(BadLine(number, end, "", too_long()) if line is None else _parse(number, end, line, row))
        if len(chunk) >= _CHUNK_LINES or end - start >= _CHUNK_BYTES:
            yield chunk
            chunk, start = [], end
    if chunk:
        yield chunk


def _parse(number: int, end: int, line: bytes, row: type[wire.Rollout]) -> _Parsed | BadLine:
    try:
        value = decode(line)
        if not isinstance(value, dict):
            return BadLine(number, end, "", "a rollout is a JSON object")
        return _Parsed(number, end, row.model_validate(value))
    except DecodeError as error:
        return BadLine(number, end, error.pointer, error.reason)
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        return BadLine(number, end, pointer(first["loc"]), first["msg"])

"""The rows of an RL file, as `shop-r1 data rl` writes them, read and judged in a stream."""

from collections.abc import Iterator
from itertools import islice
from pathlib import Path
from typing import Annotated, Any, NamedTuple

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from reward_server.decoding import DecodeError, decode, pointer
from reward_server.json_lines import RawLine, json_lines, too_long
from reward_server.reward.action import ActionSpace, LabelError, read_label
from trainer.evaluation.rollouts import EvaluationRollout
from trainer.generation.errors import GenerationError

_KEPT = ("id", "session", "step", "last_action", "label")
"""What the evaluation reads of a row."""


class _Message(BaseModel):
    model_config = ConfigDict(strict=True, extra="allow")

    role: str
    content: str


class _Asked(BaseModel):
    model_config = ConfigDict(strict=True)

    prompt: Annotated[list[_Message], Field(min_length=1)]


class Row(NamedTuple):
    """A prompt, and what its completions are held against."""

    line: int
    """Counted from 1."""
    id: str
    """The row's own, or its line."""
    messages: list[dict[str, Any]]
    """The chat so far; its keys are the template's affair."""
    kept: dict[str, Any]
    """The fields that go into its rollouts as they are."""


def read_rows(file: Path, space: ActionSpace, limit: int | None = None) -> Iterator[Row]:
    """The rows of a file, or the first `limit`; blank lines do not count.

    Raises GenerationError naming the line and the field of a row that is none, or whose label or last action is no
    action of the space; OSError for a file that cannot be read.
    """
    with file.open("rb") as opened:
        for line in islice(json_lines(opened), limit):
            yield _read(line, space, file)


def rollout(row: Row, completion: str) -> dict[str, Any]:
    """The line that the evaluation reads. Samples of one row share its id, and have it as their group."""
    return {**row.kept, "id": row.id, "group": row.id, "completion": completion}


def _read(line: RawLine, space: ActionSpace, file: Path) -> Row:
    if line.content is None:
        raise _bad(file, line, "", too_long())
    try:
        value = decode(line.content)
    except DecodeError as error:
        raise _bad(file, line, error.pointer, error.reason) from None
    if not isinstance(value, dict):
        raise _bad(file, line, "", "a row is a JSON object")
    if "prompt" not in value and "messages" in value:
        reason = "a row of SFT data, which `shop-r1 sft` takes; `shop-r1 data rl` makes RL data, to evaluate models on"
        raise _bad(file, line, "", reason)
    kept = {name: value[name] for name in _KEPT if value.get(name) is not None}
    try:
        _Asked.model_validate(value)
        row = EvaluationRollout.model_validate({**kept, "completion": ""})
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        raise _bad(file, line, pointer(first["loc"]), first["msg"]) from None
    for name in ("label", "last_action"):
        if name in kept:
            try:
                read_label(kept[name], space)
            except LabelError as error:
                raise _bad(file, line, pointer((name, *error.path)), error.reason) from None
    return Row(line.number, row.id or f"line {line.number}", value["prompt"], kept)


def _bad(file: Path, line: RawLine, place: str, reason: str) -> GenerationError:
    return GenerationError(f"{file}:{line.number}: {place or 'the whole line'}: {reason}")

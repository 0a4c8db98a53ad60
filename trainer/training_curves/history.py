"""`history.jsonl` of a run: one JSON object of numbers per training step, read in a stream."""

import os
from array import array
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import BinaryIO, NamedTuple

import numpy as np
from numpy.typing import NDArray

from reward_server.decoding import DecodeError, decode, pointer
from reward_server.json_lines import RawLine, json_lines, too_long

HISTORY = "history.jsonl"
"""The file's name in a run's folder."""

LARGEST = 1e100
"""What no metric of a sound run exceeds; below it, sums and scales cannot overflow."""

_MOST_METRICS = 1_000
_LATEST_STEP = 2**53


class HistoryError(ValueError):
    """A history that cannot be used; the message names the file, the line, the field and the reason."""


class Curve(NamedTuple):
    """One metric of a run."""

    steps: NDArray[np.int64]
    """(points) The steps that have the metric, increasing."""
    values: NDArray[np.float64]
    """(points) Finite."""


class History(NamedTuple):
    """What a run logged."""

    name: str
    """Of the run's folder."""
    file: str
    steps: int
    """How many steps there are."""
    first: int
    """The first step."""
    last: int
    metrics: Mapping[str, Curve]
    """By key, in the order in which they first come."""


def history_file(run: Path) -> Path:
    """The history of a run's folder, or the file itself."""
    return run / HISTORY if run.is_dir() else run


def run_names(files: Sequence[Path]) -> list[str]:
    """What to call the runs: their folders, with as many of the folders around these as it takes to tell them apart.

    A file that is not named `history.jsonl` is called by its own name.
    """
    paths = [Path(os.path.abspath(file)) for file in files]
    parts = [(path.parent if path.name == HISTORY else path.with_suffix("")).parts[1:] or ("/",) for path in paths]
    for length in range(1, max(map(len, parts), default=0)):
        names = ["/".join(each[-length:]) for each in parts]
        if len(set(names)) == len(names):
            return names
    return ["/".join(each) for each in parts]


def read_history(source: BinaryIO, name: str, file: str) -> History:
    """The history in an opened file.

    A last line without an end that is no JSON does not count: the run is still writing it. Raises HistoryError where
    a line is no JSON object of finite numbers, has no `step`, or has one that does not come after the one before.
    """
    metrics: dict[str, tuple[array[int], array[float]]] = {}
    steps, first, last = 0, 0, -1
    for line in json_lines(source):
        try:
            row = _row(line)
            step = _step(row, last)
            for key, value in row.items():
                if key != "step":
                    points = metrics.setdefault(key, (array("q"), array("d")))
                    points[0].append(step)
                    points[1].append(_number(key, value))
            if len(metrics) > _MOST_METRICS:
                raise DecodeError("", f"with this line there are more than {_MOST_METRICS:,} different fields")
        except DecodeError as error:
            if isinstance(error, _NoJson) and _is_being_written(source, line):
                break
            place = f"{error.pointer}: " if error.pointer else ""
            raise HistoryError(f"{file}:{line.number}: {place}{error.reason}") from None
        steps, first, last = steps + 1, first if steps else step, step
    if not steps:
        raise HistoryError(f"{file}: it holds no steps")
    if not metrics:
        raise HistoryError(f"{file}: its steps have no metrics")
    curves = {key: Curve(np.array(at, np.int64), np.array(values)) for key, (at, values) in metrics.items()}
    return History(name, file, steps, first, last, curves)


class _NoJson(DecodeError):
    """A line that is no JSON at all."""


def _row(line: RawLine) -> dict[str, object]:
    if line.content is None:
        raise DecodeError("", too_long())
    try:
        row = decode(line.content)
    except DecodeError as error:
        if error.pointer:
            raise DecodeError(error.pointer, f"{error.reason}, so the run is broken from here on") from None
        raise _NoJson("", error.reason) from None
    if not isinstance(row, dict):
        raise DecodeError("", "a step is a JSON object")
    return row


def _step(row: Mapping[str, object], last: int) -> int:
    step = row.get("step")
    if "step" not in row:
        raise DecodeError("", "it has no step")
    if not isinstance(step, int) or isinstance(step, bool) or not 0 <= step <= _LATEST_STEP:
        raise DecodeError("/step", f"a step is an integer from 0 to {_LATEST_STEP:,}")
    if step <= last:
        raise DecodeError("/step", f"step {step} does not come after step {last}")
    return step


def _number(key: str, value: object) -> float:
    if isinstance(value, dict | list):
        raise DecodeError(pointer((key,)), "nested; a metric is one number")
    if value is None:
        raise DecodeError(pointer((key,)), "null, as NaN and infinities are written: the run is broken from here on")
    if isinstance(value, bool) or not isinstance(value, int | float):
        kind = "a truth value" if isinstance(value, bool) else "a text"
        raise DecodeError(pointer((key,)), f"{kind}; a metric is a number")
    if not -LARGEST <= value <= LARGEST:
        raise DecodeError(pointer((key,)), f"beyond ±{LARGEST:g}, so the run is broken from here on")
    return float(value)


def _is_being_written(source: BinaryIO, line: RawLine) -> bool:
    """Whether a line lacks its end."""
    if not source.seekable():
        return False
    source.seek(line.end - 1)
    return source.read(1) != b"\n"

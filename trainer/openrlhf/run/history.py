"""`history.jsonl`: a line for each step of a run, written while it goes on."""

from pathlib import Path

import orjson

from trainer.openrlhf.run.log_lines import StepMetrics


class History:
    """Adds steps to a file. A resumed run goes over some steps again: the later ones count."""

    def __init__(self, path: Path) -> None:
        self._path = path
        whole = _lines(path)
        if path.exists():
            path.write_bytes(b"".join(whole))
        self._last = max(map(_step, whole), default=0)

    def add(self, step: StepMetrics) -> None:
        """Add a step, in place of those from it on that the file has already."""
        if step.step <= self._last:
            kept = [line for line in _lines(self._path) if _step(line) < step.step]
            self._path.write_bytes(b"".join(kept))
        self._last = step.step
        with self._path.open("ab") as file:
            file.write(orjson.dumps({"step": step.step, **step.metrics}, option=orjson.OPT_APPEND_NEWLINE))


def _lines(path: Path) -> list[bytes]:
    """Whole lines only: a run that was killed may have left half of one."""
    data = path.read_bytes() if path.exists() else b""
    return [line for line in data.splitlines(keepends=True) if line.endswith(b"\n")]


def _step(line: bytes) -> int:
    return int(orjson.loads(line)["step"])

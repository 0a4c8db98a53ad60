"""`history.jsonl`: a line for each step of a run, written while it goes on."""

from pathlib import Path

import orjson

from trainer.openrlhf.run.log_lines import StepMetrics


class HistoryFile:
    """Adds steps to a file. A resumed run goes over some steps again: the later ones count."""

    def __init__(self, path: Path) -> None:
        """Raises ValueError for a file that is no history."""
        self._path = path
        self._begun = False
        whole = _lines(path)
        if path.exists():
            path.write_bytes(b"".join(whole))
        self._last = max(map(step_of, whole), default=0)

    def add(self, step: StepMetrics) -> None:
        """Add a step; the first one in place of those from it on that the file has already.

        Raises ValueError for a step that does not come after the one before it.
        """
        if step.step <= self._last:
            if self._begun:
                raise ValueError(f"step {step.step} was reported after step {self._last}")
            kept = [line for line in _lines(self._path) if step_of(line) < step.step]
            self._path.write_bytes(b"".join(kept))
        self._last, self._begun = step.step, True
        with self._path.open("ab") as file:
            file.write(orjson.dumps({"step": step.step, **step.metrics}, option=orjson.OPT_APPEND_NEWLINE))


def step_of(line: bytes) -> int:
    """The step that a line is of. Raises ValueError for a line that is none."""
    row = orjson.loads(line)
    step = row.get("step") if isinstance(row, dict) else None
    if not isinstance(step, int) or isinstance(step, bool) or step < 0:
        raise ValueError("a line without a step")
    return step


def _lines(path: Path) -> list[bytes]:
    """Whole lines only: a run that was killed may have left half of one."""
    data = path.read_bytes() if path.exists() else b""
    return [line for line in data.splitlines(keepends=True) if line.endswith(b"\n")]

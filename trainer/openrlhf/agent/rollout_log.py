"""Every scored rollout, kept: which completion earned what, under which spec, by which server."""

import json
import os
import socket
from pathlib import Path
from typing import BinaryIO

from reward_server.wire import Rollout, ScoreResponse


class RolloutLog:
    """A file of JSON lines for each process that writes; `reward-server score` reads them."""

    def __init__(self, folder: Path) -> None:
        """Raises OSError for a folder that cannot be made."""
        folder.mkdir(parents=True, exist_ok=True)
        self._path = folder / f"{socket.gethostname()}-{os.getpid()}.jsonl"
        self._file: BinaryIO | None = None

    def write(self, rollout: Rollout, answer: ScoreResponse) -> None:
        """Add a rollout and its result; what the certainty was measured from is left out."""
        if self._file is None:
            # Unbuffered: a line is there, whole, as soon as it was written, also of a run that is killed.
            self._file = self._path.open("ab", buffering=0)
        (result,) = answer.results
        line = {
            **rollout.model_dump(include={"id", "group", "completion", "label"}),
            "result": result.model_dump(exclude={"id", "group"}),
            "spec": answer.spec.model_dump(),
            "server_version": answer.server_version,
        }
        # Labels may hold what only escapes can say, or numbers of any size.
        self._file.write(json.dumps(line, separators=(",", ":")).encode() + b"\n")

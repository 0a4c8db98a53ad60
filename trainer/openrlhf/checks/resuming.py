"""Whether an earlier run can go on, beyond its recipe and checkpoint: its history, OpenRLHF, the reward's source."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from trainer.openrlhf.checks.server import RunServer
from trainer.openrlhf.problems import FolderError
from trainer.openrlhf.run.folder import Manifest, RunFolder
from trainer.openrlhf.run.history import step_of


def check_version(folder: RunFolder, before: Manifest, openrlhf: str | None) -> None:
    """Raise FolderError where another OpenRLHF is installed than the run was started with."""
    if (was := before.versions.get("openrlhf")) != openrlhf:
        raise FolderError(f"{folder.path} was made by OpenRLHF {was}, and {openrlhf} is installed now")


def check_certainty(folder: RunFolder, before: Manifest, server: RunServer) -> RunServer:
    """The server, with the model whose certainty it measures: the run's, where it does not say yet.

    Raises FolderError where it has another source of certainty than the run had, or measures another model's.
    """
    facts: Mapping[str, Any] = before.server or {}
    source, model = facts.get("certainty_source"), facts.get("certainty_model")
    if source != server.facts.certainty_source:
        raise FolderError(
            f"{folder.path} had its certainty from the source {source}, and the server's is "
            f"{server.facts.certainty_source} now"
        )
    if None not in (model, server.certainty_model) and model != server.certainty_model:
        raise FolderError(
            f"{folder.path} was rewarded by the certainty of {model}, and the server measures that of "
            f"{server.certainty_model} now"
        )
    return server._replace(certainty_model=server.certainty_model or model)


def check_history(file: Path) -> None:
    """Raise FolderError for a line of a history that is no step; half a last line, of a killed run, will do."""
    try:
        lines = file.read_bytes().splitlines(keepends=True)
    except FileNotFoundError:
        return
    except OSError as error:
        raise FolderError(f"{file}: {error.strerror}") from None
    for number, line in enumerate(lines, 1):
        try:
            if line.endswith(b"\n"):
                step_of(line)
        except ValueError:
            reason = "no object with a step; mend the file, or name another --out"
            raise FolderError(f"{file}:{number}: {reason}") from None

"""Histories as commands take them: folders of runs or files, refused by name and reason."""

from collections.abc import Mapping, Sequence
from pathlib import Path

import typer
from rich.console import Console

from reward_server.terminal import BAD_INPUT, input_file, keep_the_input, printable
from trainer.training_curves.history import History, HistoryError, history_file, read_history, run_names


def read_histories(runs: Sequence[Path], option: str, outputs: Mapping[str, Path | None]) -> list[History]:
    """The histories of the runs that `option` names, none of which is to be an output.

    Raises typer.BadParameter where one cannot be opened or is named twice, typer.Exit where one cannot be used.
    """
    files = [history_file(run) for run in runs]
    _check(files, option)
    return [_read(file, name, outputs) for file, name in zip(files, run_names(files), strict=True)]


def _read(file: Path, name: str, outputs: Mapping[str, Path | None]) -> History:
    shown, label = (text.encode(errors="replace").decode() for text in (str(file), name))
    with input_file(file) as source:
        keep_the_input(source, outputs)
        try:
            return read_history(source, label, shown)
        except HistoryError as error:
            message = f"[red]no curves:[/] {printable(str(error))}"
            Console(stderr=True).print(message, soft_wrap=True, highlight=False)
            raise typer.Exit(BAD_INPUT) from None
        except OSError as error:
            raise typer.BadParameter(f"{file}: {error.strerror}") from None


def _check(files: Sequence[Path], option: str) -> None:
    known: set[Path] = set()
    for file in files:
        path = file.resolve()
        if path in known:
            raise typer.BadParameter(f"{file} is named twice", param_hint=option)
        known.add(path)

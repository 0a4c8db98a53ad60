"""Runs a recipe's command for a person who watches: a line on every step, and one clear sentence if it fails."""

import subprocess
from collections.abc import Mapping
from math import inf
from shlex import join
from typing import NamedTuple

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn

from reward_server.terminal import printable
from trainer.model_folder import AdapterAlone, NoWeights, weight_files
from trainer.openrlhf.problems import FolderError
from trainer.openrlhf.recipe.flags import Kind
from trainer.openrlhf.run.command import Command
from trainer.openrlhf.run.folder import RunFolder
from trainer.openrlhf.run.history import HistoryFile
from trainer.openrlhf.run.log_lines import StepMetrics, StepReader
from trainer.openrlhf.run.process import TrainingError, run_training
from trainer.openrlhf.run.signals import Interrupted, stopping_signals

_SHOWN: Mapping[str, str] = {
    "reward": "reward",
    "score": "score",
    "valid": "valid",
    "type_match": "type",
    "exact_match": "exact",
    "kl": "kl",
    "gpt_loss": "loss",
    "grad_norm": "gradient",
}
"""Of OpenRLHF's metrics, those that say at a glance how it goes."""

_MOST_LINES = 100
"""Where there is no bar, as in the log of a cluster."""
_STOP_SECONDS = 60.0


class Course(NamedTuple):
    """What is expected of a run."""

    trainer: Kind
    steps: int
    micro_batches: int
    """Of a step, on each data-parallel rank."""
    resumed: bool
    stall_minutes: float
    leads: bool = True
    """Whether this is the node that tells of steps and saves the model; the others of an SFT run print nothing."""


def launch(command: Command, folder: RunFolder, lock: int, course: Course) -> int:
    """Run the command to its end; the exit status for the shell: 0, or 1 where it failed or was interrupted.

    Shows a bar over the steps, and where standard error is no terminal up to 100 lines. The trainer inherits the `lock`
    on its folder. A Ray job is stopped when the run is.
    """
    console = Console(stderr=True)
    try:
        with stopping_signals():
            done = _run(command, folder, lock, course, console)
            if course.leads:
                _check_outcome(folder, done, course.resumed)
    except TrainingError as error:
        console.print(f"[red]stopped:[/] {printable(str(error))}", soft_wrap=True, highlight=False)
        _stop(command, console)
        return 1
    except Interrupted as signal:
        console.print(f"[yellow]interrupted by {signal}:[/] {_way_on(folder, course)}", soft_wrap=True, highlight=False)
        _stop(command, console)
        return 1
    if course.leads and not course.resumed and done < course.steps:
        console.print(f"[yellow]note:[/] {done} of {course.steps} steps were done", highlight=False)
    return 0


def _way_on(folder: RunFolder, course: Course) -> str:
    """How to go on with an interrupted run."""
    path = printable(str(folder.path))
    if not course.leads:
        return "resume it as the first node is"
    try:
        folder.check_checkpoint(course.trainer)
    except FolderError:
        return f"there was no checkpoint yet in {path}: start anew with --overwrite"
    return f"--resume goes on from the last checkpoint in {path}"


def _run(command: Command, folder: RunFolder, lock: int, course: Course, console: Console) -> int:
    """Run it, and show its steps; returns how many there were."""
    steps = course.steps
    between_lines = -(-steps // _MOST_LINES)
    times = (TimeElapsedColumn(), TimeRemainingColumn())
    columns = (BarColumn(20), MofNCompleteColumn(), TextColumn("{task.description}"), *times)
    with Progress(*columns, console=console, transient=True, disable=not console.is_terminal) as progress:
        task = progress.add_task("starting", total=steps)

        def show(step: StepMetrics) -> None:
            progress.update(task, completed=step.step, description=_glance(step.metrics))
            if not console.is_terminal and step.step % between_lines == 0:
                line = f"step {step.step} of {steps}  {_glance(step.metrics)}"
                console.print(line, highlight=False, soft_wrap=True)

        return run_training(
            command.argv,
            command.environment,
            folder.log,
            HistoryFile(folder.history),
            stall_seconds=60 * course.stall_minutes if course.leads else inf,
            reader=StepReader(folder.steps_saved(), course.micro_batches),
            descriptors=[lock],
            on_step=show,
        )


def _check_outcome(folder: RunFolder, done: int, resumed: bool) -> None:
    """Raise TrainingError for a run that ended well by its own account, but trained nothing or kept nothing of it."""
    if not done and not resumed:
        raise TrainingError(f"OpenRLHF ended without a single step; see {folder.log}")
    try:
        weight_files(folder.model)
    except AdapterAlone:
        pass  # all that LoRA trains
    except NoWeights:
        where = f"{folder.model}; see {folder.log}"
        raise TrainingError(f"OpenRLHF ended without an error, and without a model in {where}") from None


def _stop(command: Command, console: Console) -> None:
    """End the job on the cluster, which goes on without its client; where that fails, say how to end it by hand."""
    if not command.stop:
        return
    try:
        subprocess.run(command.stop, timeout=_STOP_SECONDS, check=True, stdout=subprocess.DEVNULL)
    except (OSError, subprocess.SubprocessError):
        by_hand = f"`{printable(join(command.stop))}`"
        console.print(f"[red]the job may go on:[/] end it with {by_hand}", soft_wrap=True, highlight=False)


def _glance(metrics: Mapping[str, float]) -> str:
    return "  ".join(f"{shown} {metrics[name]:.4g}" for name, shown in _SHOWN.items() if name in metrics)

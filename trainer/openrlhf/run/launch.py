"""Runs a recipe's command for a person who watches: a line on every step, and one clear sentence if it fails."""

from collections.abc import Mapping

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn

from reward_server.terminal import printable
from trainer.openrlhf.recipe.command import Command
from trainer.openrlhf.run.folder import RunFolder
from trainer.openrlhf.run.history import History
from trainer.openrlhf.run.log_lines import StepMetrics
from trainer.openrlhf.run.process import TrainingError, run_training

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


def launch(command: Command, folder: RunFolder, *, steps: int, stall_minutes: float) -> int:
    """Run the command to its end; the exit status for the shell: 0, or 1 where it failed or was interrupted.

    Shows a bar over `steps`, and where standard error is no terminal up to 100 lines.
    """
    console = Console(stderr=True)
    between_lines = -(-steps // _MOST_LINES)
    times = (TimeElapsedColumn(), TimeRemainingColumn())
    columns = (BarColumn(20), MofNCompleteColumn(), TextColumn("{task.description}"), *times)
    try:
        with Progress(*columns, console=console, transient=True) as progress:
            task = progress.add_task("starting", total=steps)

            def show(step: StepMetrics) -> None:
                progress.update(task, completed=step.step, description=_glance(step.metrics))
                if not console.is_terminal and step.step % between_lines == 0:
                    line = f"step {step.step} of {steps}  {_glance(step.metrics)}"
                    console.print(line, highlight=False, soft_wrap=True)

            run_training(
                command.argv,
                command.environment,
                folder.log,
                History(folder.history),
                stall_seconds=60 * stall_minutes,
                sft_steps_done=folder.steps_saved(),
                on_step=show,
            )
    except TrainingError as error:
        console.print(f"[red]stopped:[/] {printable(str(error))}", soft_wrap=True, highlight=False)
        return 1
    except KeyboardInterrupt:
        where = printable(str(folder.path))
        console.print(f"[yellow]interrupted:[/] --resume goes on from the last checkpoint in {where}", soft_wrap=True)
        return 1
    return 0


def _glance(metrics: Mapping[str, float]) -> str:
    return "  ".join(f"{shown} {metrics[name]:.4g}" for name, shown in _SHOWN.items() if name in metrics)

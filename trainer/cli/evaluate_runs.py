"""What `shop-r1 evaluate` does with rollout files: read them all, then print and write their figures."""

from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import NamedTuple, NoReturn

import typer
from rich.console import Console

from reward_server.reward.spec import RewardSpec
from reward_server.rollout_files import BadLine
from reward_server.terminal import (
    BAD_INPUT,
    STDIN,
    as_json,
    byte_progress,
    input_file,
    keep_the_input,
    output_file,
    printable,
    size_of,
)
from trainer.bootstrap import Settings
from trainer.cli.histories import read_histories
from trainer.evaluation.best_policy import best_rollouts
from trainer.evaluation.compare import compare
from trainer.evaluation.display import show_comparison, show_evaluation
from trainer.evaluation.evaluation import evaluate_run
from trainer.evaluation.result import Evaluation, Generation, Runs
from trainer.evaluation.rollouts import Observation, observe
from trainer.evaluation.rows import RunError
from trainer.evaluation.run import BadLines, Run, read_run
from trainer.training_curves.curves import TrainingCurves, training_curves
from trainer.training_curves.display import show_training

_LINES_PER_UPDATE = 256
_BUILT_IN_SESSIONS = 1_000


class Outputs(NamedTuple):
    """The files to write besides the terminal."""

    json: Path | None
    report: Path | None
    markdown: Path | None


class RolloutFile(NamedTuple):
    """A file to evaluate, the name of its run, and how it was made where we made it."""

    path: Path
    name: str
    generation: Generation | None = None


def given(file: Path) -> RolloutFile:
    """A file that the user names."""
    return RolloutFile(file, "standard input" if file == STDIN else str(file).encode(errors="replace").decode())


def evaluate_runs(
    files: Iterable[RolloutFile],
    spec: RewardSpec,
    settings: Settings,
    skip_bad: bool,
    outputs: Outputs,
    histories: Sequence[Path] = (),
) -> None:
    """Evaluate each file, and compare the others with the first; without a file, the storefront's best policy.

    Files may be made while they are asked for: each is read before the next. The training runs whose `histories` are
    given are shown too.

    Raises typer.Exit where lines or files cannot be used, typer.BadParameter where they cannot be opened.
    """
    curves = _curves(histories, settings, outputs)
    with output_file(outputs.json, "--json") as json_output, output_file(outputs.report, "--report") as html_output:
        runs = [_run(file, spec, outputs, skip_bad) for file in files] or [_storefront(spec, settings.seed)]
        if not skip_bad and any(run.bad.number for run in runs):
            refuse("lines cannot be scored; --skip-bad leaves them out")
        with Console(stderr=True).status("resampling"):
            result = _result(runs, settings)
        _show(result, settings, Console())
        if curves is not None:
            result = result.model_copy(update={"training": curves.training})
            show_training(curves.training, Console())
        if json_output is not None:
            json_output.write(as_json(result.model_dump(mode="json")))
        if html_output is not None:
            from trainer.evaluation.report import html_report

            html_output.write(html_report(result, curves).encode())
        if outputs.markdown is not None:
            from trainer.evaluation.report import write_markdown_report

            write_markdown_report(result, outputs.markdown, curves)


def _curves(runs: Sequence[Path], settings: Settings, outputs: Outputs) -> TrainingCurves | None:
    if not runs:
        return None
    histories = read_histories(runs, "--history", {f"--{name}": path for name, path in outputs._asdict().items()})
    return training_curves(histories, settings)


def _result(runs: Sequence[Run], settings: Settings) -> Evaluation | Runs:
    try:
        comparisons = [compare(runs[0], run, settings) for run in runs[1:]]
    except RunError as error:
        refuse(str(error))
    evaluations = [evaluate_run(run, settings) for run in runs]
    return Runs(runs=evaluations, comparisons=comparisons) if comparisons else evaluations[0]


def _show(result: Evaluation | Runs, settings: Settings, console: Console) -> None:
    if isinstance(result, Evaluation):
        show_evaluation(result, console)
        return
    for evaluation in result.runs:
        show_evaluation(evaluation, console)
    for comparison in result.comparisons:
        show_comparison(comparison, settings.confidence, console)


def _run(file: RolloutFile, spec: RewardSpec, outputs: Outputs, skip_bad: bool) -> Run:
    """A file's rollouts; lines that cannot be scored are named on standard error."""
    bad = BadLines()
    with _observed(file.path, spec, outputs) as items:
        try:
            return replace(read_run(file.name, items, spec, bad), generation=file.generation)
        except RunError as error:
            refuse(f"{file.name}: {error}")
        finally:
            _complain(file.name, bad, skip_bad)


def _storefront(spec: RewardSpec, seed: int) -> Run:
    """The best possible policy on sessions of the built-in storefront."""
    from trainer.sessions.storefront import Storefront

    name, bad = "the best possible policy on the built-in storefront", BadLines()
    with Console(stderr=True).status("simulating shoppers"):
        rollouts = best_rollouts(Storefront(seed=seed, size="tiny").sessions(_BUILT_IN_SESSIONS))
    try:
        return read_run(name, observe(rollouts, spec), spec, bad)
    except RunError as error:
        refuse(f"{name}: {error}")
    finally:
        _complain(name, bad, skip_bad=False)


@contextmanager
def _observed(file: Path, spec: RewardSpec, outputs: Outputs) -> Iterator[Iterator[Observation | BadLine]]:
    """The lines of a file, with a progress bar over its bytes; one that fails in mid-read is named."""
    with input_file(file) as source, byte_progress("reading") as progress:
        keep_the_input(source, {f"--{name}": path for name, path in outputs._asdict().items()})
        task = progress.add_task("", total=size_of(source))

        def items() -> Iterator[Observation | BadLine]:
            for item in observe(source, spec):
                if item.line % _LINES_PER_UPDATE == 0:
                    progress.update(task, completed=item.end)
                yield item

        try:
            yield items()
        except OSError as error:
            raise typer.BadParameter(f"{file}: {error.strerror}") from None


def _complain(name: str, bad: BadLines, skip_bad: bool) -> None:
    """Name the first lines that cannot be scored on standard error, and how many there are."""
    console, name = Console(stderr=True), printable(name)
    for line in bad.first:
        place = printable(line.pointer) or "the whole line"
        console.print(f"  {name}:{line.line}: {place}: {printable(line.reason)}", soft_wrap=True, highlight=False)
    if bad.number > len(bad.first):
        console.print(f"  and {bad.number - len(bad.first):,} more")
    if bad.number:
        lines = "1 line" if bad.number == 1 else f"{bad.number:,} lines"
        verdict = "[yellow]left out:[/]" if skip_bad else "[red]cannot be scored:[/]"
        console.print(f"{verdict} {lines} of {name}", soft_wrap=True, highlight=False)


def refuse(reason: str) -> NoReturn:
    """Say why there are no figures, and exit with status 1."""
    Console(stderr=True).print(f"[red]no evaluation:[/] {printable(reason)}", soft_wrap=True, highlight=False)
    raise typer.Exit(BAD_INPUT)

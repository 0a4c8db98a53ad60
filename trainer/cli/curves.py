"""`shop-r1 curves`."""

from pathlib import Path
from typing import Annotated

import typer

from reward_server.terminal import JsonOption, as_json, output_file
from trainer.cli.intervals import ConfidenceOption, ResamplesOption, SeedOption

_PNG_WIDTH = 800


def curves(
    runs: Annotated[list[Path], typer.Argument(metavar="RUN", help="Folders of training runs, or history.jsonl.")],
    report: Annotated[Path | None, typer.Option("--report", help="Also write a report to this file, as HTML.")] = None,
    png: Annotated[Path | None, typer.Option("--png", help="Also draw all curves into this file, as PNG.")] = None,
    json_file: JsonOption = None,
    resamples: ResamplesOption = 2_000,
    seed: SeedOption = 0,
    confidence: ConfidenceOption = 0.95,
) -> None:
    """Show how the reward, its terms and the predicted types change over training, of one run or of several.

    For each metric: its mean over the first and over the last tenth of the steps, and by how much they differ, with an
    interval. A run may still be going on.
    """
    from rich.console import Console

    from trainer.bootstrap import Settings
    from trainer.cli.histories import read_histories
    from trainer.training_curves.curves import training_curves
    from trainer.training_curves.display import show_training

    histories = read_histories(runs, "RUN", {"--report": report, "--png": png, "--json": json_file})
    with (
        output_file(json_file, "--json") as json_output,
        output_file(report, "--report") as html_output,
        output_file(png, "--png") as png_output,
    ):
        found = training_curves(histories, Settings(resamples, seed, confidence))
        show_training(found.training, Console())
        if json_output is not None:
            json_output.write(as_json(found.training.model_dump(mode="json")))
        if html_output is not None:
            from trainer.evaluation.report import html_training_report

            html_output.write(html_training_report(found).encode())
        if png_output is not None:
            from trainer.evaluation.report.plots.png import png as drawn
            from trainer.evaluation.report.training import all_curves

            png_output.write(drawn(all_curves(found), _PNG_WIDTH))

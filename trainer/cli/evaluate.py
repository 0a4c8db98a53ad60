"""`shop-r1 evaluate`."""

from pathlib import Path
from typing import Annotated

import typer

from reward_server.terminal import STDIN, JsonOption, SpecOption, the_spec


def evaluate(
    files: Annotated[
        list[Path] | None,
        typer.Argument(
            help="Rollouts as JSON lines; - reads standard input. Several are compared with the first. "
            "Default: the best possible policy on the built-in storefront.",
            show_default=False,
        ),
    ] = None,
    spec: SpecOption = "shop-r1",
    table: Annotated[
        Path | None, typer.Option("--table", help="Check a published table of per-type figures (CSV) instead.")
    ] = None,
    json_file: JsonOption = None,
    report: Annotated[Path | None, typer.Option("--report", help="Also write a report to this file, as HTML.")] = None,
    markdown: Annotated[
        Path | None, typer.Option("--markdown", help="Also write it as Markdown, with its plots in a folder beside it.")
    ] = None,
    resamples: Annotated[
        int, typer.Option("--resamples", min=100, max=100_000, help="Bootstrap resamples behind the intervals.")
    ] = 2_000,
    seed: Annotated[
        int, typer.Option("--seed", min=0, max=2**63 - 1, help="Of the resamples, and of the built-in storefront.")
    ] = 0,
    confidence: Annotated[float, typer.Option("--confidence", help="Of the intervals, between 0 and 1.")] = 0.95,
    skip_bad: Annotated[bool, typer.Option("--skip-bad", help="Leave lines out that cannot be scored.")] = False,
) -> None:
    """Measure how well completions predict shoppers, with intervals, beside what trivial policies score.

    Lines are those of `reward-server score`, and may also have `session`, `step` and `last_action`. Lines that cannot
    be scored are named on standard error, and there are no figures then, unless they are to be left out.
    """
    reward_spec = the_spec(spec)
    if not 0 < confidence < 1:
        raise typer.BadParameter("a confidence is between 0 and 1, such as 0.95", param_hint="--confidence")
    if table is not None:
        if files:
            raise typer.BadParameter("a published table is checked by itself, without rollout files", param_hint="FILE")
        if report is not None or markdown is not None:
            raise typer.BadParameter("reports are on rollouts; a table has --json", param_hint="--table")
        from trainer.cli.published_table import check_published

        check_published(table, reward_spec, json_file)
        return
    if (files or []).count(STDIN) > 1:
        raise typer.BadParameter("standard input can be read only once", param_hint="FILE")
    from trainer.cli.evaluate_runs import Outputs, evaluate_runs
    from trainer.evaluation.bootstrap import Settings

    outputs = Outputs(json_file, report, markdown)
    evaluate_runs(files or [], reward_spec, Settings(resamples, seed, confidence), skip_bad, outputs)

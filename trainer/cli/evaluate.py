"""`shop-r1 evaluate`."""

from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Literal

import typer

from reward_server.terminal import STDIN, JsonOption, SpecOption, the_spec
from trainer.cli.intervals import ConfidenceOption, ResamplesOption, SeedOption


def evaluate(
    files: Annotated[
        list[Path] | None,
        typer.Argument(
            help="Rollouts as JSON lines; - reads standard input. Several are compared with the first. "
            "Default: the best possible policy on the built-in storefront.",
            show_default=False,
        ),
    ] = None,
    model: Annotated[
        list[str] | None,
        typer.Option("--model", help="Generate with this model (folder or Hugging Face id) first. Repeatable."),
    ] = None,
    checkpoints: Annotated[
        list[Path] | None,
        typer.Option("--checkpoints", help="With every checkpoint and the final model in a run's folder. Repeatable."),
    ] = None,
    data: Annotated[
        Path | None, typer.Option("--data", help="The rows to generate for, as `shop-r1 data rl` writes them.")
    ] = None,
    engine: Annotated[
        Literal["auto", "vllm", "transformers"],
        typer.Option("--engine", help="What generates; auto is vLLM where it is installed."),
    ] = "auto",
    temperature: Annotated[
        list[float] | None,
        typer.Option("--temperature", help="0 is greedy, the default. Repeatable: a run for each, and a plot."),
    ] = None,
    samples: Annotated[int, typer.Option("--samples", min=1, max=1024, help="Completions for each row.")] = 1,
    max_new_tokens: Annotated[int, typer.Option("--max-new-tokens", min=1, help="Most tokens of a completion.")] = 512,
    limit: Annotated[int | None, typer.Option("--limit", min=1, help="Only the first so many rows.")] = None,
    generated: Annotated[
        Path | None,
        typer.Option("--generated", help="Keep the rollouts in this folder, and use those that are there already."),
    ] = None,
    history: Annotated[
        list[Path] | None,
        typer.Option("--history", help="Also show the training of this run: its folder or history.jsonl. Repeatable."),
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
    resamples: ResamplesOption = 2_000,
    seed: SeedOption = 0,
    confidence: ConfidenceOption = 0.95,
    skip_bad: Annotated[bool, typer.Option("--skip-bad", help="Leave lines out that cannot be scored.")] = False,
) -> None:
    """Measure how well completions predict shoppers, with intervals, beside what trivial policies score.

    Lines are those of `reward-server score`, and may also have `session`, `step` and `last_action`. Lines that cannot
    be scored are named on standard error, and there are no figures then, unless they are to be left out. With `--model`
    or `--checkpoints` the completions are generated for the rows of `--data` first, one run per model and temperature.
    """
    reward_spec = the_spec(spec)
    _check_usage(
        files or [],
        asks_models=bool(model or checkpoints),
        has_data=data is not None,
        says_how=bool(temperature or limit is not None or generated is not None),
        is_table=table is not None,
        reports=bool(report is not None or markdown is not None or history),
    )
    if table is not None:
        from trainer.cli.published_table import check_published

        check_published(table, reward_spec, json_file)
        return
    from trainer.bootstrap import Settings
    from trainer.cli.evaluate_runs import Outputs, evaluate_runs, given

    outputs = Outputs(json_file, report, markdown)
    settings = Settings(resamples, seed, confidence)
    if data is None:
        evaluate_runs(map(given, files or []), reward_spec, settings, skip_bad, outputs, history or [])
        return
    from trainer.cli.evaluate_models import Request, generated_runs

    asked = Request(
        model or [],
        checkpoints or [],
        data,
        engine,
        temperature or [0.0],
        samples,
        max_new_tokens,
        limit,
        generated,
        seed,
    )
    runs = generated_runs(asked, reward_spec.action_space, outputs)
    evaluate_runs(runs, reward_spec, settings, skip_bad, outputs, history or [])


def _check_usage(
    files: Sequence[Path], *, asks_models: bool, has_data: bool, says_how: bool, is_table: bool, reports: bool
) -> None:
    """Raise typer.BadParameter for options that do not go together; `says_how` is about generating."""
    if files and asks_models:
        raise typer.BadParameter("rollouts are either read or generated: give files or --model", param_hint="FILE")
    if asks_models != has_data:
        raise typer.BadParameter("models need --data, and --data needs --model or --checkpoints", param_hint="--data")
    if not asks_models and says_how:
        raise typer.BadParameter("this is for generating, with --model", param_hint="--temperature/--limit/--generated")
    if is_table and asks_models:
        raise typer.BadParameter("a published table is checked by itself, without models", param_hint="--table")
    if is_table and files:
        raise typer.BadParameter("a published table is checked by itself, without rollout files", param_hint="FILE")
    if is_table and reports:
        raise typer.BadParameter("reports are on rollouts; a table has --json", param_hint="--table")
    if files.count(STDIN) > 1:
        raise typer.BadParameter("standard input can be read only once", param_hint="FILE")

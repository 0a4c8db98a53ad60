"""`shop-r1 evaluate`."""

from pathlib import Path
from typing import Annotated, Literal

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
    resamples: Annotated[
        int, typer.Option("--resamples", min=100, max=100_000, help="Bootstrap resamples behind the intervals.")
    ] = 2_000,
    seed: Annotated[
        int, typer.Option("--seed", min=0, max=2**63 - 1, help="Of resamples, samples, and the built-in storefront.")
    ] = 0,
    confidence: Annotated[float, typer.Option("--confidence", help="Of the intervals, between 0 and 1.")] = 0.95,
    skip_bad: Annotated[bool, typer.Option("--skip-bad", help="Leave lines out that cannot be scored.")] = False,
) -> None:
    """Measure how well completions predict shoppers, with intervals, beside what trivial policies score.

    Lines are those of `reward-server score`, and may also have `session`, `step` and `last_action`. Lines that cannot
    be scored are named on standard error, and there are no figures then, unless they are to be left out. With `--model`
    or `--checkpoints` the completions are generated for the rows of `--data` first, one run per model and temperature.
    """
    reward_spec = the_spec(spec)
    if not 0 < confidence < 1:
        raise typer.BadParameter("a confidence is between 0 and 1, such as 0.95", param_hint="--confidence")
    asks_models = bool(model or checkpoints)
    if files and asks_models:
        raise typer.BadParameter("rollouts are either read or generated: give files or --model", param_hint="FILE")
    if asks_models != (data is not None):
        raise typer.BadParameter("models need --data, and --data needs --model or --checkpoints", param_hint="--data")
    if not asks_models and (temperature or limit is not None or generated is not None):
        raise typer.BadParameter("this is for generating, with --model", param_hint="--temperature/--limit/--generated")
    if table is not None:
        if asks_models:
            raise typer.BadParameter("a published table is checked by itself, without models", param_hint="--table")
        if files:
            raise typer.BadParameter("a published table is checked by itself, without rollout files", param_hint="FILE")
        if report is not None or markdown is not None or history:
            raise typer.BadParameter("reports are on rollouts; a table has --json", param_hint="--table")
        from trainer.cli.published_table import check_published

        check_published(table, reward_spec, json_file)
        return
    if (files or []).count(STDIN) > 1:
        raise typer.BadParameter("standard input can be read only once", param_hint="FILE")
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

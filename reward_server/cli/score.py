"""`reward-server score`."""

from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Any, BinaryIO, get_args

import typer
from rich.console import Console

from reward_server.certainty.model_files import is_demo_model
from reward_server.certainty.source import SourceError
from reward_server.certainty.sources import SourceName, create_source
from reward_server.cli.flags import read_settings
from reward_server.cli.summary import Summary
from reward_server.reward.spec import RewardSpec
from reward_server.rollout_files import BadLine, ScoredLine, score_lines
from reward_server.scoring import ConfigurationError, Scorer
from reward_server.settings import Settings
from reward_server.terminal import (
    BAD_INPUT,
    STDIN,
    JsonOption,
    SpecOption,
    as_json,
    byte_progress,
    input_file,
    keep_the_input,
    output_file,
    printable,
    size_of,
    the_spec,
    visible,
)

_MODEL = "Hugging Face id or folder of the model whose certainty it is."
_SHOWN_BAD_LINES = 20
_LINES_PER_UPDATE = 256


def score(
    file: Annotated[Path, typer.Argument(help="Rollouts as JSON lines; - reads standard input.")],
    spec: SpecOption = "shop-r1",
    certainty: Annotated[
        str | None,
        typer.Option(
            "--certainty",
            help=f"Where the rationale's certainty comes from: {', '.join(get_args(SourceName))}. [REWARD_CERTAINTY]",
            metavar="NAME",
        ),
    ] = None,
    certainty_model: Annotated[
        str | None, typer.Option("--certainty-model", help=f"{_MODEL} [REWARD_CERTAINTY_MODEL]")
    ] = None,
    certainty_revision: Annotated[
        str | None, typer.Option("--certainty-revision", help="Revision of that model. [REWARD_CERTAINTY_REVISION]")
    ] = None,
    vllm_url: Annotated[
        str | None, typer.Option("--vllm-url", help="Where vLLM listens, for vllm and vllm-logprobs. [REWARD_VLLM_URL]")
    ] = None,
    vllm_api_key: Annotated[
        str | None, typer.Option("--vllm-api-key", help="Key that vLLM asks for. [REWARD_VLLM_API_KEY]")
    ] = None,
    vllm_top_k: Annotated[
        str | None,
        typer.Option("--vllm-top-k", help="Log-probabilities per token for vllm-logprobs. [REWARD_VLLM_TOP_K]"),
    ] = None,
    patience: Annotated[
        str | None,
        typer.Option("--patience", help="Seconds to wait for a vLLM that does not answer. [REWARD_PATIENCE]"),
    ] = None,
    out: Annotated[Path | None, typer.Option("--out", help="Write one result per good line to this file.")] = None,
    json_file: JsonOption = None,
) -> None:
    """Score a rollout file without a server, and print the means per label type.

    Lines that cannot be scored are named on standard error and left out; the exit status is then 1.
    """
    given = {
        "certainty": certainty,
        "certainty_model": certainty_model,
        "certainty_revision": certainty_revision,
        "vllm_url": vllm_url,
        "vllm_api_key": vllm_api_key,
        "vllm_top_k": vllm_top_k,
        "patience": patience,
        # Nothing is served here, whatever the environment says of addresses.
        "host": "127.0.0.1",
    }
    settings = read_settings({name: value for name, value in given.items() if value is not None})
    scorer = _scorer(the_spec(spec), settings)
    tally = _Tally()
    try:
        with input_file(file) as source:
            keep_the_input(source, {"--out": out, "--json": json_file})
            _score(source, file, scorer, tally, out, json_file)
    except SourceError as error:
        console = Console(stderr=True)
        console.print(f"[red]the rationales' certainty is not to be had:[/] {printable(str(error))}", soft_wrap=True)
        raise typer.Exit(BAD_INPUT) from None
    _print(tally.summary, scorer)
    _complain("standard input" if file == STDIN else str(file), tally.bad, tally.bad_count)
    if tally.bad_count:
        raise typer.Exit(BAD_INPUT)


class _Tally:
    """What has been seen of a file."""

    def __init__(self) -> None:
        self.summary = Summary()
        self.bad: list[BadLine] = []
        """The first of those that cannot be scored."""
        self.bad_count = 0

    def add(self, item: ScoredLine | BadLine) -> None:
        """Count one line."""
        if isinstance(item, ScoredLine):
            self.summary.add(item.scored)
            return
        self.bad_count += 1
        if self.bad_count <= _SHOWN_BAD_LINES:
            self.bad.append(item)


def _score(
    source: BinaryIO, file: Path, scorer: Scorer, tally: _Tally, out: Path | None, json_file: Path | None
) -> None:
    with (
        output_file(out, "--out") as results,
        output_file(json_file, "--json") as figures,
        byte_progress("scoring") as progress,
    ):
        task = progress.add_task("", total=size_of(source))
        for item in _readable(score_lines(source, scorer), file):
            if item.line % _LINES_PER_UPDATE == 0:
                progress.update(task, completed=item.end)
            tally.add(item)
            if results is not None and isinstance(item, ScoredLine):
                results.write(item.as_json())
        if figures is not None:
            figures.write(as_json(_figures(tally, scorer)))


def _figures(tally: _Tally, scorer: Scorer) -> dict[str, Any]:
    return {
        "spec": {"name": scorer.spec.name, "digest": scorer.spec.digest},
        "certainty": _certainty(scorer),
        **tally.summary.as_dict(),
        "bad_lines": tally.bad_count,
        "first_bad_lines": [{"line": item.line, "pointer": item.pointer, "reason": item.reason} for item in tally.bad],
    }


def _certainty(scorer: Scorer) -> dict[str, Any] | None:
    """Where certainties came from; None where the spec gives them no weight."""
    if scorer.source is None:
        return None
    model = scorer.source.model
    return {
        "source": scorer.source.name,
        "kind": scorer.spec.certainty.kind,
        "model": model and model.name,
        "revision": model and model.revision,
    }


def _scorer(spec: RewardSpec, settings: Settings) -> Scorer:
    name = settings.certainty if spec.needs_certainty else "none"
    try:
        scorer = Scorer(spec, create_source(name, settings.source_options), require_prompt=settings.require_prompt)
    except ConfigurationError as error:
        raise typer.BadParameter(str(error), param_hint="--spec") from None
    except SourceError as error:
        raise typer.BadParameter(visible(str(error)), param_hint="--certainty") from None
    if name == "local" and is_demo_model(settings.certainty_model):
        Console(stderr=True).print(
            "[yellow]certainty is that of the demo model: name your own with --certainty-model[/]"
        )
    return scorer


def _print(summary: Summary, scorer: Scorer) -> None:
    console = Console()
    spec = scorer.spec
    console.print(f"spec [bold]{printable(spec.name)}[/] {spec.digest}", soft_wrap=True, highlight=False)
    if (certainty := _certainty(scorer)) is not None:
        whose = " ".join(part for part in (certainty["model"], certainty["revision"]) if part)
        line = f"certainty from [bold]{certainty['source']}[/] {printable(whose)}".rstrip()
        console.print(line, soft_wrap=True, highlight=False)
    console.print(summary.table())


def _complain(file: str, bad: list[BadLine], count: int) -> None:
    if not count:
        return
    console = Console(stderr=True)
    lines = "1 line" if count == 1 else f"{count:,} lines"
    console.print(f"[red]{lines} of {printable(file)} cannot be scored:[/]", soft_wrap=True)
    for item in bad:
        place = printable(item.pointer) or "the whole line"
        console.print(f"  line {item.line}: {place}: {printable(item.reason)}", soft_wrap=True)
    if count > len(bad):
        console.print(f"  and {count - len(bad):,} more")


def _readable(items: Iterator[ScoredLine | BadLine], file: Path) -> Iterator[ScoredLine | BadLine]:
    """The items; a file that fails in mid-read is told from an output that does."""
    try:
        yield from items
    except OSError as error:
        raise typer.BadParameter(f"{file}: {error.strerror}") from None

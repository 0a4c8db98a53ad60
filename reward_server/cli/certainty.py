"""`reward-server certainty`."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, get_args

import typer
from rich.console import Console
from rich.text import Text

from reward_server.certainty.model_files import is_demo_model
from reward_server.certainty.source import EvidenceError, Kind, SourceError
from reward_server.reward.completion import Completion, parse
from reward_server.reward.spec import load_preset
from reward_server.terminal import JsonOption, input_file, printable, standard_input, visible, write_json

if TYPE_CHECKING:
    from reward_server.certainty.local import LocalSource, TokenCertainties

_EXAMPLE = (
    '{"rationale": "It fits my budget, so I buy it now.", "action": {"type": "click", "name": "add_to_cart.buy_now"}}'
)


def certainty(
    text: Annotated[str, typer.Argument(help="A completion, or any text; - reads standard input.")] = _EXAMPLE,
    model: Annotated[
        str | None,
        typer.Option(
            "--model",
            help="Hugging Face id or folder of the model whose certainty it is. Default: the built-in demo model.",
            envvar="REWARD_CERTAINTY_MODEL",
        ),
    ] = None,
    revision: Annotated[
        str | None, typer.Option("--revision", help="Of an id.", envvar="REWARD_CERTAINTY_REVISION")
    ] = None,
    prompt: Annotated[str | None, typer.Option("--prompt", help="What the model read before the text.")] = None,
    prompt_file: Annotated[Path | None, typer.Option("--prompt-file", help="The same, from a file.")] = None,
    kind: Annotated[
        Kind, typer.Option("--kind", help=f"Its reading: {', '.join(get_args(Kind))}.", metavar="KIND")
    ] = "kl_to_uniform",
    json_file: JsonOption = None,
) -> None:
    """Show how certain a model is of each token of a text, as a coloured line, and on average.

    Of a valid completion the rationale is averaged, as in the reward; of any other text, all of it.
    """
    if text == "-":
        # The line's end is the shell's, not the text's.
        text = _unicode(standard_input().read(), "standard input").removesuffix("\n")
    read = _prompt(prompt, prompt_file)
    for name, value in (("TEXT", text), ("--prompt", read)):
        _check(value, name)
    outcome = parse(text, load_preset("shop-r1"))
    is_completion = isinstance(outcome, Completion)
    source, told = _measure(text, read, kind, model, revision, is_completion)
    _print(source, told, kind, is_demo_model(model), bool(read), is_completion)
    write_json(json_file, _figures(source, told, kind, bool(read), is_completion))


def _prompt(prompt: str | None, file: Path | None) -> str:
    if file is None:
        return prompt or ""
    if prompt is not None:
        raise typer.BadParameter("give a prompt or a file with one, not both", param_hint="--prompt-file")
    with input_file(file) as opened:
        return _unicode(opened.read(), str(file))


def _unicode(data: bytes, name: str) -> str:
    try:
        return data.decode()
    except UnicodeDecodeError as error:
        raise typer.BadParameter(f"{name}: not UTF-8: {error.reason} at byte {error.start}") from None


def _check(text: str, name: str) -> None:
    try:
        text.encode()
    except UnicodeEncodeError:
        raise typer.BadParameter("not UTF-8", param_hint=name) from None


def _measure(
    text: str, prompt: str, kind: Kind, model: str | None, revision: str | None, is_completion: bool
) -> tuple["LocalSource", "TokenCertainties"]:
    from reward_server.certainty.local import LocalSource

    try:
        with Console(stderr=True).status("reading"):
            source = LocalSource(model, revision)
            return source, source.by_token(text, prompt, kind, rationale=is_completion)
    except SourceError as error:
        raise typer.BadParameter(visible(str(error))) from None
    except EvidenceError as error:
        raise typer.BadParameter(str(error), param_hint="TEXT") from None


def _print(
    source: "LocalSource", told: "TokenCertainties", kind: Kind, is_demo: bool, has_prompt: bool, is_completion: bool
) -> None:
    from reward_server.cli.token_display import Numbers, Scale, coloured, legend, number

    console = Console(highlight=False)
    scale = Scale(told, kind, source.vocab_size)
    in_colour = console.color_system is not None and not console.no_color
    console.print(coloured(told, scale) if in_colour else Numbers(told))
    console.print()
    console.print(Text("scale     ").append_text(legend() if in_colour else Text()).append(scale.words()))
    what = "the rationale" if is_completion else "the whole text"
    weights = source.model
    tokens = f"{what}'s {len(told.counted)} token{'s' * (len(told.counted) != 1)}"
    console.print(
        f"mean      [bold]{number(told.mean)}[/] nats over {tokens}"
        if told.counted
        else f"mean      none: {what} has no token that can be measured"
    )
    console.print(f"kind      {kind}")
    demo = ", [yellow]a demo model[/]: name your own with --model" if is_demo else ""
    console.print(f"model     {printable(weights.name)}{demo}", soft_wrap=not is_demo)
    console.print(f"revision  {printable(_short(weights.revision or '-'))}")
    if not has_prompt:
        console.print(f"[yellow]{_no_prompt(is_completion)}[/]")


def _no_prompt(is_completion: bool) -> str:
    if is_completion:
        return "Without --prompt the rationale is measured out of its context."
    return "Without --prompt the first token has no certainty, for nothing comes before it."


def _short(revision: str) -> str:
    return f"{revision[:19]}…" if revision.startswith("sha256:") else revision


def _figures(
    source: "LocalSource", told: "TokenCertainties", kind: Kind, has_prompt: bool, is_completion: bool
) -> dict[str, Any]:
    return {
        "mean": told.mean if told.counted else None,
        "tokens": len(told.counted),
        "kind": kind,
        "of": "rationale" if is_completion else "text",
        "context": has_prompt,
        "vocab_size": source.vocab_size,
        "model": source.model._asdict(),
        "by_token": [
            {"text": piece, "certainty": value, "counted": value is not None and told.start <= index < told.end}
            for index, (piece, value) in enumerate(zip(told.pieces, told.values, strict=True))
        ],
    }

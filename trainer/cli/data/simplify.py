"""`shop-r1 data simplify`."""

import sys
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from reward_server.terminal import BAD_INPUT, input_file, keep_the_input, output_file, printable


def simplify(
    page: Annotated[Path, typer.Argument(help="A page as the shop sends it; - reads standard input.")],
    out: Annotated[Path | None, typer.Option("--out", help="Write to this file instead of standard output.")] = None,
    names: Annotated[bool, typer.Option("--names", help="Write only the names of the elements, one a line.")] = False,
    unicode_names: Annotated[
        bool, typer.Option("--unicode-names", help="Keep letters of every script in names, not a to z alone.")
    ] = False,
) -> None:
    """Simplify a page: what a shopper sees, with a name on every element that can be acted on."""
    from trainer.sessions.simplify import MarkupError
    from trainer.sessions.simplify import simplify as run

    with input_file(page) as source:
        keep_the_input(source, {"--out": out})
        markup = source.read()
    try:
        simplified = run(markup, unicode_names=unicode_names)
    except MarkupError as error:
        Console(stderr=True).print(f"[red]{printable(str(page))}:[/] {printable(str(error))}", soft_wrap=True)
        raise typer.Exit(BAD_INPUT) from None
    text = "\n".join(simplified.names) if names else simplified.html
    with output_file(out, "--out") as opened:
        (sys.stdout.buffer if opened is None else opened).write(f"{text}\n".encode())

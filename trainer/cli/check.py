"""`shop-r1 check`."""

from typing import Annotated

import typer
from rich.console import Console
from rich.markup import escape

from trainer.preflight import PreflightError, check_server


def check(
    url: Annotated[str, typer.Argument(help="The reward server, or the whole URL a trainer is given.")],
    digest: Annotated[str | None, typer.Option("--digest", help="The spec digest that the run was made for.")] = None,
    api_key: Annotated[str | None, typer.Option("--api-key", help="Its API key.", envvar="SHOP_R1_API_KEY")] = None,
) -> None:
    """Check that a reward server is reachable, ready, and scores with the right spec; exit status 1 if not."""
    try:
        facts = check_server(url, digest=digest, api_key=api_key)
    except PreflightError as error:
        Console(stderr=True).print(f"[red]not ready:[/] {escape(str(error))}", soft_wrap=True)
        raise typer.Exit(1) from None
    console = Console()
    for name, value in facts._asdict().items():
        console.print(f"{name.replace('_', ' '):>16}  [bold]{escape(value)}[/]", soft_wrap=True)

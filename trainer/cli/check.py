"""`shop-r1 check`."""

from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.markup import escape

from reward_server.client import TlsFiles
from trainer.preflight import Access, PreflightError, check_servers


def check(
    urls: Annotated[
        list[str], typer.Argument(metavar="URL...", help="The reward servers, or the whole URLs a trainer is given.")
    ],
    digest: Annotated[str | None, typer.Option("--digest", help="The spec digest that the run was made for.")] = None,
    api_key: Annotated[str | None, typer.Option("--api-key", help="Their API key.", envvar="SHOP_R1_API_KEY")] = None,
    ca_file: Annotated[
        Path | None, typer.Option("--tls-ca-file", help="PEM of who may sign an https server's certificate.")
    ] = None,
    certificate: Annotated[
        Path | None, typer.Option("--tls-certificate", help="PEM of the certificate that shows it who asks.")
    ] = None,
    key: Annotated[Path | None, typer.Option("--tls-key", help="PEM of that certificate's key.")] = None,
) -> None:
    """Check that reward servers are reachable, ready, and score with the right spec; exit status 1 if not.

    Of several, all have to score with the same.
    """
    try:
        found = check_servers(urls, digest=digest, access=Access(api_key, TlsFiles(ca_file, certificate, key)))
    except PreflightError as error:
        Console(stderr=True).print(f"[red]not ready:[/] {escape(str(error))}", soft_wrap=True)
        raise typer.Exit(1) from None
    console = Console()
    for facts in found:
        for name, value in facts._asdict().items():
            console.print(f"{name.replace('_', ' '):>16}  [bold]{escape(value)}[/]", soft_wrap=True)

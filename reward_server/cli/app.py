"""The command tree."""

from typing import Annotated

import typer

from reward_server import __version__
from reward_server.cli.certainty import certainty
from reward_server.cli.explain import explain
from reward_server.cli.score import score
from reward_server.cli.serve import serve
from reward_server.cli.spec import spec_app
from reward_server.terminal import forgive_terminals

app = typer.Typer(no_args_is_help=True, rich_markup_mode="markdown", pretty_exceptions_show_locals=False)
app.command("serve", epilog="Example: `reward-server serve --spec shop-r1-no-rationale --certainty none`")(serve)
app.command(epilog="Example: `reward-server score examples/rollouts.jsonl --out scored.jsonl`")(score)
app.command(
    epilog='Example: `reward-server explain \'{"rationale": "I am done.", "action": {"type": "terminate"}}\' '
    '--label \'{"type": "terminate"}\'`'
)(explain)
app.command(epilog='Example: `reward-server certainty "I want a cheap rice cooker." --prompt "What do you do next? "`')(
    certainty
)
app.add_typer(spec_app, name="spec", epilog="Example: `reward-server spec list`")


@app.callback(invoke_without_command=True)
def main(version: Annotated[bool, typer.Option("--version", help="Print the version and exit.")] = False) -> None:
    """Score rollouts of LLMs that simulate online shoppers with the reward of Shop-R1 (arXiv 2507.17842)."""
    forgive_terminals()
    if version:
        typer.echo(__version__)
        raise typer.Exit

"""The command tree."""

from typing import Annotated

import typer

from reward_server import __version__
from reward_server.terminal import forgive_terminals
from trainer.cli.check import check
from trainer.cli.curves import curves
from trainer.cli.data import data_app
from trainer.cli.evaluate import evaluate
from trainer.cli.grpo import grpo
from trainer.cli.recipes import recipes
from trainer.cli.sft import sft

app = typer.Typer(no_args_is_help=True, rich_markup_mode="markdown", pretty_exceptions_show_locals=False)
app.command(epilog="Example: `shop-r1 check http://127.0.0.1:8080`")(check)
app.add_typer(data_app, name="data", epilog="Example: `shop-r1 data storefront sessions.jsonl`")
app.command(epilog="Example: `shop-r1 recipes grpo-3b`")(recipes)
app.command(epilog="Example: `shop-r1 sft 3b --data data/sft.jsonl --dry-run`")(sft)
app.command(epilog="Example: `shop-r1 grpo 3b --server http://127.0.0.1:8080 --dry-run`")(grpo)
app.command(
    epilog="Example: `shop-r1 evaluate rollouts.jsonl --report report.html`\n\n"
    "With a model: `shop-r1 evaluate --model runs/grpo/model --data test.jsonl --report report.html`"
)(evaluate)
app.command(epilog="Example: `shop-r1 curves runs/grpo runs/grpo-binary --report curves.html`")(curves)


_EXTRAS = {
    **dict.fromkeys(("jinja2", "lxml", "matplotlib", "openai", "pyarrow", "tokenizers", "yaml"), "data"),
    **dict.fromkeys(("torch", "transformers"), "local"),
    "vllm": "vllm",
}
"""What the commands need beside the core, and the extra that it comes with."""


def run() -> None:
    """Run the command line; a library that is not installed is told as what to install."""
    try:
        app()
    except ModuleNotFoundError as error:
        extra = _EXTRAS.get((error.name or "").split(".")[0])
        if extra is None:
            raise
        typer.echo(f"this needs {error.name}, which comes with: pip install 'shop-r1[{extra}]'", err=True)
        raise SystemExit(1) from None


@app.callback(invoke_without_command=True)
def main(version: Annotated[bool, typer.Option("--version", help="Print the version and exit.")] = False) -> None:
    """Train and evaluate LLMs that simulate online shoppers (Shop-R1, arXiv 2507.17842)."""
    forgive_terminals()
    if version:
        typer.echo(__version__)
        raise typer.Exit

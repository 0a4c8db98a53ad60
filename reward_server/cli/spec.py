"""`reward-server spec`: list, show and compare reward specs."""

import json
import re
from collections.abc import Iterator
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.table import Table

from reward_server.reward.spec import load_preset, preset_names
from reward_server.terminal import JsonOption, printable, the_spec, write_json

spec_app = typer.Typer(no_args_is_help=True, rich_markup_mode="markdown", help="List, show and compare reward specs.")

Name = Annotated[str, typer.Argument(help="A preset's name or a TOML file.")]


@spec_app.command("list", epilog="Example: `reward-server spec list`")
def list_presets(json_file: JsonOption = None) -> None:
    """List the packaged specs with their digests."""
    presets = [load_preset(name) for name in preset_names()]
    table = Table(show_lines=True)
    table.add_column("spec, digest", overflow="fold")
    table.add_column("what it is, certainty")
    for preset in presets:
        certainty = (
            f"{preset.certainty.weight:g} × {preset.certainty.kind}" if preset.needs_certainty else "no certainty"
        )
        table.add_row(f"[bold]{preset.name}[/]\n{preset.digest[:19]}…", f"{printable(preset.description)}\n{certainty}")
    Console().print(table)
    write_json(json_file, [{"name": p.name, "digest": p.digest, "description": p.description} for p in presets])


@spec_app.command(epilog="Example: `reward-server spec show shop-r1-no-dars`")
def show(spec: Name, json_file: JsonOption = None) -> None:
    """Show a spec in full, defaults filled in: everything that its digest stands for."""
    shown = the_spec(spec)
    table = Table(
        title=f"{printable(shown.name)}\n{shown.digest}", title_justify="left", caption=printable(shown.description)
    )
    table.add_column("setting", no_wrap=True)
    table.add_column("value", overflow="fold")
    for key, value in _flat(shown.canonical()):
        table.add_row(printable(key), printable(_text(value)))
    Console().print(table)
    write_json(json_file, {"name": shown.name, "digest": shown.digest, "spec": shown.canonical()})


@spec_app.command(epilog="Example: `reward-server spec diff shop-r1 ./mine.toml`")
def diff(first: Name, second: Name, json_file: JsonOption = None) -> None:
    """Show what differs between two specs; nothing does when their digests are equal."""
    left, right = the_spec(first), the_spec(second)
    before, after = dict(_flat(left.canonical())), dict(_flat(right.canonical()))
    changed = [key for key in sorted(before | after) if before.get(key) != after.get(key)]
    console = Console()
    if changed:
        table = Table()
        table.add_column("setting", no_wrap=True)
        for heading in (f"{left.name} {left.digest[7:15]}", f"{right.name} {right.digest[7:15]}"):
            table.add_column(printable(heading), overflow="fold")
        for key in changed:
            table.add_row(printable(key), printable(_text(before.get(key))), printable(_text(after.get(key))))
        console.print(table)
    else:
        console.print(
            f"{printable(left.name)} and {printable(right.name)} mean the same: {left.digest}", soft_wrap=True
        )
    differences = {key: {"first": before.get(key), "second": after.get(key)} for key in changed}
    write_json(json_file, {"first": left.digest, "second": right.digest, "differences": differences})


def _flat(table: dict[str, Any], prefix: str = "") -> Iterator[tuple[str, Any]]:
    """Dotted keys as TOML writes them and their values, in order; an action without rewards keeps its own line."""
    for key, value in table.items():
        dotted = f"{prefix}{key}" if re.fullmatch(r"[\w-]+", key) else f"{prefix}{json.dumps(key, ensure_ascii=False)}"
        if isinstance(value, dict) and value:
            yield from _flat(value, f"{dotted}.")
        else:
            yield dotted, value


def _text(value: Any) -> str:
    if value is None or value == {}:
        return "-"
    return ", ".join(value) if isinstance(value, list) else str(value)

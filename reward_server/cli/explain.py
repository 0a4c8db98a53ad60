"""`reward-server explain`."""

from math import fsum, isfinite
from typing import Annotated

import typer
from rich.console import Console
from rich.table import Table

from reward_server.reward.action import LabelError, read_label
from reward_server.reward.completion import Completion, InvalidError, read
from reward_server.reward.explain import Line
from reward_server.reward.explain import explain as explain_reward
from reward_server.reward.score import prepare
from reward_server.reward.spec import RewardSpec
from reward_server.terminal import JsonOption, SpecOption, printable, standard_input, the_spec, write_json


def explain(
    completion: Annotated[str, typer.Argument(help="The model's text; - reads it from standard input.")],
    label: Annotated[str, typer.Option("--label", help="The label action, as JSON.")],
    spec: SpecOption = "shop-r1",
    certainty: Annotated[
        float | None, typer.Option("--certainty", min=0, help="Self-certainty of the rationale, if known, in nats.")
    ] = None,
    json_file: JsonOption = None,
) -> None:
    """Show where every term of one reward comes from, and why."""
    reward_spec = the_spec(spec)
    if completion == "-":
        completion = standard_input().read().decode(errors="surrogateescape")
    if certainty is not None and not isfinite(certainty):
        raise typer.BadParameter(f"{certainty} is not a number of nats", param_hint="--certainty")
    try:
        target = prepare(read_label(label, reward_spec.action_space), reward_spec)
    except LabelError as error:
        raise typer.BadParameter(printable(": ".join((*error.path, error.reason))), param_hint="--label") from None
    outcome: Completion | InvalidError
    try:
        outcome = read(completion, reward_spec)
    except InvalidError as error:
        outcome = error
    lines = explain_reward(outcome, target, certainty, reward_spec)
    known = fsum(line.earned for line in lines if line.earned is not None)
    complete = all(line.earned is not None for line in lines)
    Console().print(_table(lines, known, complete, target.best, reward_spec))
    write_json(
        json_file,
        {
            "reward": known if complete else None,
            "reward_without_certainty": fsum(line.earned or 0.0 for line in lines if line.term != "certainty"),
            "lines": [line._asdict() for line in lines],
            "spec": {"name": reward_spec.name, "digest": reward_spec.digest},
        },
    )


def _table(lines: list[Line], known: float, complete: bool, best: float, spec: RewardSpec) -> Table:
    table = Table(title=f"Reward under {printable(spec.name)}", title_justify="left", show_footer=True)
    table.add_column("term", footer="reward", no_wrap=True)
    table.add_column("earned", footer=f"{known:.6g}{'' if complete else ' + ?'}", justify="right", no_wrap=True)
    table.add_column("of", footer=f"{best:.6g}", justify="right", no_wrap=True)
    table.add_column("why", footer=_footer(complete, spec))
    for line in lines:
        table.add_row(line.term, _number(line.earned), _number(line.possible), printable(line.why))
    return table


def _number(number: float | None) -> str:
    return "?" if number is None else f"{number:.6g}"


def _footer(complete: bool, spec: RewardSpec) -> str:
    if not spec.needs_certainty:
        return ""
    return "the best is without certainty" if complete else "the certainty term is not known; the best is without it"

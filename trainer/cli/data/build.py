"""`shop-r1 data sft` and `shop-r1 data rl`: training data for OpenRLHF."""

from collections import Counter
from collections.abc import Callable, Iterator
from fractions import Fraction
from pathlib import Path
from typing import Annotated, Any, Literal

import orjson
import typer
from rich.console import Console
from rich.table import Table

from reward_server.terminal import STDIN, JsonOption, SpecOption, output_file, printable, the_spec, write_json
from trainer.cli.data.sources import (
    AllowOption,
    Complaints,
    LongestPageOption,
    SessionsArgument,
    SkipBadOption,
    open_sessions,
    refuse_nothing,
    the_rules,
)
from trainer.sessions.balance import PAPER, BalanceError, Thinning, counts_kept
from trainer.sessions.context import Layout, Scope
from trainer.sessions.datasets import Builder, Built, BuiltRow
from trainer.sessions.faults import BadRow
from trainer.sessions.files import SessionRow, unique
from trainer.sessions.prompt import PromptStyle
from trainer.sessions.rules import LONGEST_PAGE
from trainer.sessions.tokens import TokenizerError, load_tokenizer

OutOption = Annotated[Path, typer.Option("--out", help="The file of training rows to write, as JSON lines.")]
ContextOption = Annotated[Scope, typer.Option("--context", help="All pages seen so far, or the current one alone.")]
StyleOption = Annotated[
    PromptStyle, typer.Option("--prompt", help="Full instructions, or the few words that a tiny model can afford.")
]
PersonaOption = Annotated[bool, typer.Option("--persona", help="Say in the prompt who the shopper is.")]
LengthOption = Annotated[
    int | None,
    typer.Option("--max-length", min=1, help="Longest chat: in tokens with --tokenizer, else in characters."),
]
TokenizerOption = Annotated[
    Path | None, typer.Option("--tokenizer", help="The model's tokenizer.json, or the folder it lies in.")
]


def sft(
    out: OutOption,
    sessions: SessionsArgument = None,
    context: ContextOption = "whole-session",
    style: StyleOption = "full",
    persona: PersonaOption = False,
    max_length: LengthOption = None,
    tokenizer: TokenizerOption = None,
    spec: SpecOption = "shop-r1",
    longest_page: LongestPageOption = LONGEST_PAGE,
    allow: AllowOption = None,
    skip_bad: SkipBadOption = False,
    json_file: JsonOption = None,
) -> None:
    """Build SFT data: whole sessions as chats, in which every answer is learnt once, under its own page.

    A session over the length is cut into several chats. The pages of the earlier ones are left out of the later ones,
    the actions stay. OpenRLHF reads it with `--data.input_key messages --data.multiturn --data.apply_chat_template`.
    """
    builder = Builder(
        _layout(spec, context, style, persona, max_length, tokenizer),
        the_rules(the_spec(spec), longest_page, allow),
    )
    _build(sessions, out, builder.sft, _unit(tokenizer), None, 0, skip_bad, json_file)


def rl(
    out: OutOption,
    sessions: SessionsArgument = None,
    context: ContextOption = "whole-session",
    style: StyleOption = "full",
    persona: PersonaOption = False,
    history: Annotated[
        Literal["actions", "rationales"],
        typer.Option("--history", help="What past turns show: the actions, as in the paper, or rationales too."),
    ] = "actions",
    first_step: Annotated[
        bool, typer.Option("--first-step", help="Also ask for each session's first action, which the paper never does.")
    ] = False,
    balance: Annotated[
        str, typer.Option("--balance", help="none, paper, or shares of the label types: click=0.4,terminate=0.6.")
    ] = "none",
    seed: Annotated[int, typer.Option("--seed", help="For the choice of rows that balance leaves out.")] = 0,
    max_length: LengthOption = None,
    tokenizer: TokenizerOption = None,
    spec: SpecOption = "shop-r1",
    longest_page: LongestPageOption = LONGEST_PAGE,
    allow: AllowOption = None,
    skip_bad: SkipBadOption = False,
    json_file: JsonOption = None,
) -> None:
    """Build RL data: (context, next action) pairs, the action as the label that the reward server takes.

    A context over the length loses its oldest pages first; the actions taken on them stay. OpenRLHF reads it with
    `--data.input_key prompt --data.label_key label --data.apply_chat_template`.
    """
    builder = Builder(
        _layout(spec, context, style, persona, max_length, tokenizer),
        the_rules(the_spec(spec), longest_page, allow),
        history_rationales=history == "rationales",
        first_step=first_step,
    )
    _build(sessions, out, builder.rl, _unit(tokenizer), _shares(balance), seed, skip_bad, json_file)


def _layout(
    spec: str, context: Scope, style: PromptStyle, persona: bool, max_length: int | None, tokenizer: Path | None
) -> Layout:
    try:
        measure = len if tokenizer is None else load_tokenizer(tokenizer)
    except TokenizerError as error:
        raise typer.BadParameter(printable(str(error)), param_hint="--tokenizer") from None
    return Layout(the_spec(spec).action_space, context, style, persona, max_length, measure)


def _unit(tokenizer: Path | None) -> str:
    return "characters" if tokenizer is None else "tokens"


Build = Callable[[Iterator[SessionRow]], Iterator[BuiltRow]]


def _build(
    sessions: Path | None,
    out: Path,
    build: Build,
    unit: str,
    shares: dict[str, Fraction] | None,
    seed: int,
    skip_bad: bool,
    json_file: Path | None,
) -> None:
    """Build in one pass over the sessions, or in two where the label types must be counted first."""
    thinning = None if shares is None else _thinning(sessions, build, shares, seed)
    complaints = Complaints(skip_bad)
    figures: Counter[str] = Counter()
    types: Counter[str] = Counter()
    longest = 0
    with output_file(out, "--out") as opened:
        with open_sessions(sessions, "building", {"--out": out, "--json": json_file}) as found:
            rows = build(unique(found))
            for row in rows:
                if isinstance(row, BadRow):
                    complaints.add(row)
                    continue
                if thinning is not None and not thinning.keeps(row.label_types[0]):
                    figures["rows_left_out_for_balance"] += 1
                    continue
                _count(row, figures, types)
                longest = max(longest, row.row["length"])
                if opened is not None:
                    opened.write(orjson.dumps(row.row, option=orjson.OPT_APPEND_NEWLINE))
        complaints.settle()
        refuse_nothing(figures["rows"], "the sessions give no row")
    result = {**figures, "longest": longest, "unit": unit, "label_types": dict(sorted(types.items()))}
    Console().print(_table(result, out))
    complaints.show()
    write_json(json_file, {**result, "bad": complaints.as_dict()})


def _thinning(sessions: Path | None, build: Build, shares: dict[str, Fraction], seed: int) -> Thinning:
    if sessions == STDIN:
        raise typer.BadParameter("standard input cannot be read twice, and balance has to", param_hint="--balance")
    counts: Counter[str] = Counter()
    with open_sessions(sessions, "counting") as found:
        for row in build(unique(found)):
            if isinstance(row, Built):
                counts.update(row.label_types)
    try:
        return Thinning(counts, counts_kept(counts, shares), seed)
    except BalanceError as error:
        raise typer.BadParameter(printable(str(error)), param_hint="--balance") from None


def _count(row: Built, figures: Counter[str], types: Counter[str]) -> None:
    figures["rows"] += 1
    figures["pages_shown"] += row.pages_shown
    figures["pages_dropped"] += row.pages_dropped
    figures["rows_with_pages_dropped"] += row.pages_dropped > 0
    types.update(row.label_types)


def _shares(text: str) -> dict[str, Fraction] | None:
    if text == "none":
        return None
    if text == "paper":
        return dict(PAPER)
    shares: dict[str, Fraction] = {}
    for part in text.split(","):
        name, _, number = part.partition("=")
        try:
            shares[name] = Fraction(number)
        except (ValueError, ZeroDivisionError):
            raise typer.BadParameter(f"{part!r} is not TYPE=SHARE", param_hint="--balance") from None
    if sum(shares.values()) != 1 or min(shares.values()) < 0:
        raise typer.BadParameter("the shares are from 0 to 1 and sum to 1", param_hint="--balance")
    return shares


def _table(result: dict[str, Any], out: Path) -> Table:
    table = Table(title=printable(str(out)), title_justify="left", show_header=False)
    table.add_column()
    table.add_column(justify="right")
    types = result["label_types"]
    whole = sum(types.values())
    for key in ("rows", "rows_left_out_for_balance", "pages_shown", "pages_dropped"):
        if key in result:
            table.add_row(key.replace("_", " "), f"{result[key]:,}")
    table.add_row("rows with pages dropped", f"{result['rows_with_pages_dropped']:,}")
    table.add_row(f"longest, in {result['unit']}", f"{result['longest']:,}")
    for name, number in types.items():
        table.add_row(f"label {printable(name)}", f"{number:,} ({number / whole:.1%})")
    return table

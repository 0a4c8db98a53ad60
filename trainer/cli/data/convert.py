"""`shop-r1 data opera` and `shop-r1 data shopcart`: public data sets as sessions."""

from collections import Counter
from collections.abc import Iterable
from pathlib import Path
from typing import Annotated, Literal

import typer
from rich.console import Console

from reward_server.terminal import BAD_INPUT, JsonOption, keep_apart, output_file, printable, the_spec, write_json
from trainer.cli.data.sources import Complaints, SkipBadOption, refuse_nothing
from trainer.sessions.faults import BadRow
from trainer.sessions.files import SessionRow, write_session
from trainer.sessions.readers.opera import Opera
from trainer.sessions.readers.rows import RowsError
from trainer.sessions.readers.shopcart import USUAL_NAMES, PairingUnclearError, ShopCart

FilesArgument = Annotated[list[Path], typer.Argument(help="Its action tables: Parquet files or JSON lines.")]
OutOption = Annotated[Path, typer.Option("--out", help="The file of sessions to write.")]


def opera(
    files: FilesArgument,
    out: OutOption = Path("sessions.jsonl"),
    users: Annotated[
        list[Path] | None, typer.Option("--users", help="Its user tables, for personas.", show_default=False)
    ] = None,
    spec: Annotated[str, typer.Option("--spec", help="The reward spec whose action types are kept.")] = "opera",
    skip_bad: SkipBadOption = False,
    json_file: JsonOption = None,
) -> None:
    """Read OPeRA's tables into sessions. Action types that the spec does not know are left out and counted."""
    try:
        reader = Opera(files, users or [], the_spec(spec).action_space)
    except RowsError as error:
        _fail(str(error))
    try:
        complaints, written = _write(reader, [*files, *(users or [])], out, json_file, skip_bad)
    except RowsError as error:
        _fail(str(error))
    finally:
        for name, count in reader.left_out.most_common(10):
            Console().print(f"left out, for the spec has no such type: {name!r}, {count:,} times", markup=False)
    _tell(written, complaints, out, json_file, {"left_out_types": dict(reader.left_out)})


def shopcart(
    files: FilesArgument,
    out: OutOption = Path("sessions.jsonl"),
    pages: Annotated[
        Literal["auto", "before", "after"],
        typer.Option("--pages", help="Whether a row's page was seen before or came after its action; auto tests it."),
    ] = "auto",
    columns: Annotated[
        list[str] | None,
        typer.Option("--column", help=f"USE=COLUMN; uses: {', '.join(USUAL_NAMES)}.", show_default=False),
    ] = None,
    skip_bad: SkipBadOption = False,
    json_file: JsonOption = None,
) -> None:
    """Read ShopCART's rows into sessions, each page paired with the action that was taken on it.

    ShopCART stores the page that came after an action in the action's row. That is tested on the data at hand, and the
    verdict printed.
    """
    given = dict(text.partition("=")[::2] for text in columns or [])
    try:
        reader = ShopCart(files, given, None if pages == "auto" else pages)
        complaints, written = _write(reader, files, out, json_file, skip_bad)
    except (RowsError, PairingUnclearError) as error:
        _fail(str(error))
    found: dict[str, object] = {"pages_stored": reader.pairing, "pairing": reader.test and reader.test._asdict()}
    verdict = f"so pages are stored {reader.pairing} their action" if reader.test else "as told"
    Console().print(f"pages: {reader.test or reader.pairing}, {verdict}", soft_wrap=True, highlight=False)
    _tell(written, complaints, out, json_file, found)


def _write(
    rows: Iterable[SessionRow], files: Iterable[Path], out: Path, json_file: Path | None, skip_bad: bool
) -> tuple[Complaints, Counter[str]]:
    complaints = Complaints(skip_bad)
    written: Counter[str] = Counter()
    console = Console(stderr=True)
    for file in files:
        for option, path in (("--out", out), ("--json", json_file)):
            if path is not None and path.exists() and file.exists() and path.samefile(file):
                raise typer.BadParameter(f"{path} is the file being read", param_hint=option)
    keep_apart({"--out": out, "--json": json_file})
    with output_file(out, "--out") as opened, console.status("reading") as status:
        for row in rows:
            if isinstance(row, BadRow):
                complaints.add(row)
                continue
            written["sessions"] += 1
            written["steps"] += len(row.session.steps)
            if opened is not None:
                opened.write(write_session(row.session))
            status.update(f"reading: {written['sessions']:,} sessions")
        complaints.settle()
        refuse_nothing(written["sessions"], "there are no sessions in what was read")
    return complaints, written


def _tell(
    written: Counter[str], complaints: Complaints, out: Path, json_file: Path | None, more: dict[str, object]
) -> None:
    complaints.show()
    sentence = f"{written['sessions']:,} sessions with {written['steps']:,} steps in {printable(str(out))}"
    Console().print(sentence, soft_wrap=True, highlight=False)
    write_json(json_file, {**written, **more, "bad_rows": complaints.as_dict()})


def _fail(reason: str) -> None:
    Console(stderr=True).print(f"[red]cannot be read:[/] {printable(reason)}", soft_wrap=True, highlight=False)
    raise typer.Exit(BAD_INPUT)

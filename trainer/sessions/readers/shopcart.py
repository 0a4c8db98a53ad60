"""ShopCART (Hugging Face `NEU-HAI/ShopCART`, arXiv 2503.20749) as sessions: one row an action.

The set could not be downloaded where this was written, so nothing is assumed of its columns but what they hold: each is
looked for under its usual names, can be named by the caller, and a missing one is an error that lists what is there.
Its trap, the page stored *after* the action, is tested on the data at hand (see `pairing`).
"""

from bisect import bisect
from collections.abc import Iterator, Mapping, Sequence
from itertools import chain
from math import isnan
from pathlib import Path
from types import MappingProxyType
from typing import Any

from reward_server.decoding import DecodeError, decode
from trainer.sessions.faults import BadRow, Fault
from trainer.sessions.files import Located, SessionRow
from trainer.sessions.pairing import FEWEST, Pairing, PairingTest, count_names, move_pages
from trainer.sessions.readers.rows import Row, RowsError, Spool, column_names, moment, read_rows, text_of
from trainer.sessions.schema import Session, Step

USUAL_NAMES: Mapping[str, tuple[str, ...]] = MappingProxyType(
    {
        "session": ("session_id", "session", "sessionId"),
        "user": ("user_id", "user", "customer_id", "userId"),
        "order": ("step", "step_id", "action_index", "index", "timestamp", "time"),
        "html": ("simplified_html", "html", "context", "observation", "page"),
        "action": ("action",),
        "type": ("action_type", "type"),
        "name": ("name", "element_name", "semantic_id", "target", "element"),
        "text": ("text", "input_text", "query", "value"),
        "rationale": ("rationale", "reasoning", "reason"),
    }
)
"""What a column is for -> the names it is looked for under, in order."""

_SAMPLE_CHARACTERS = 64 * 2**20
_SAMPLE_ACTIONS = 10 * FEWEST


class PairingUnclearError(ValueError):
    """The data do not say whether pages are stored before or after their action."""


class ShopCart:
    """The sessions of ShopCART's files, every page paired with the action that was taken on it."""

    def __init__(
        self, files: Sequence[Path], columns: Mapping[str, str] | None = None, pages: Pairing | None = None
    ) -> None:
        """`columns` names columns by what they are for; `pages` states the pairing instead of testing it.

        Raises RowsError for a file without the columns needed.
        """
        self._files = files
        self._pages = pages
        self._columns = _find_columns(files, columns or {})
        self._bad: dict[str, list[int]] = {}
        self.test: PairingTest | None = None
        """What the test of the pairing counted, on the first sessions, once they are read."""
        self.pairing: Pairing | None = pages
        """How the pages were taken to be stored, once the first sessions are read."""

    def __iter__(self) -> Iterator[SessionRow]:
        spool = Spool()
        wanted = set(self._columns.values())
        for file in self._files:
            for row in read_rows(file, wanted):
                bad = row if isinstance(row, BadRow) else self._spooled(row, spool)
                if bad is not None:
                    self._bad.setdefault(bad.file, []).append(bad.line)
                    yield bad
        yield from self._paired(self._sessions(spool))
        spool.close()

    def _spooled(self, row: Row, spool: Spool) -> BadRow | None:
        session = row.values.get(self._columns["session"])
        if not isinstance(session, str | int) or session == "":
            return row.bad(Fault.BAD_FIELD, self._columns["session"], "a session's id is needed")
        order = self._value(row, "order")
        try:
            position = order if order is None or isinstance(order, int | float) else moment(order).timestamp()
        except (TypeError, ValueError) as error:
            return row.bad(Fault.BAD_FIELD, self._columns["order"], str(error))
        try:
            spool.add(str(session), None if position is None or isnan(position) else float(position), row)
        except TypeError as error:
            return row.bad(Fault.BAD_FIELD, "", str(error))
        return None

    def _sessions(self, spool: Spool) -> Iterator[SessionRow]:
        for name, rows in spool.sessions():
            steps = []
            broken = False
            for before, row in zip([None, *rows], rows, strict=False):
                broken = broken or (before is not None and self._bad_between(before, row))
                if broken and self._pages != "before":
                    yield row.bad(Fault.BAD_FIELD, "", "it comes after a bad row, which may have held its page")
                    continue
                try:
                    steps.append(self._step(row))
                except DecodeError as error:
                    broken = True
                    yield row.bad(Fault.BAD_ACTION, self._columns["action"], error.reason)
                except (TypeError, ValueError) as error:
                    broken = True
                    yield row.bad(Fault.BAD_FIELD, "", str(error))
            user = self._value(rows[0], "user")
            if not steps:
                continue
            try:
                session = Session(session=name, user=None if user is None else str(user), steps=steps)
            except ValueError as error:
                yield rows[0].bad(Fault.BAD_FIELD, self._columns["session"], str(error))
                continue
            yield Located(rows[0].file, rows[0].number, session)

    def _bad_between(self, before: Row, row: Row) -> bool:
        """Whether a row that could not be read stands between two of a session's, and may be the session's too."""
        bad = self._bad.get(row.file, [])
        place = bisect(bad, before.number)
        return before.file == row.file and place < len(bad) and bad[place] < row.number

    def _step(self, row: Row) -> Step:
        order = self._value(row, "order")
        html = self._value(row, "html")
        if html is not None and not isinstance(html, str):
            raise TypeError(f"{self._columns['html']}: a page is a text, not {type(html).__name__}")
        return Step(
            html=html or None,
            action=self._action(row),
            rationale=text_of(row.values, self._columns["rationale"]) if "rationale" in self._columns else None,
            timestamp=moment(order) if isinstance(order, str) else None,
        )

    def _action(self, row: Row) -> dict[str, Any]:
        action = self._value(row, "action")
        if isinstance(action, str) and action.lstrip().startswith("{"):
            action = decode(action.encode())
        if isinstance(action, dict):
            return {key: value for key, value in action.items() if value is not None}
        parts = {part: self._value(row, part) for part in ("type", "name", "text")}
        if action is not None and parts["type"] is None:
            parts["type"] = action
        return {part: value for part, value in parts.items() if value is not None}

    def _value(self, row: Row, use: str) -> Any:
        column = self._columns.get(use)
        return None if column is None else row.values.get(column)

    def _paired(self, rows: Iterator[SessionRow]) -> Iterator[SessionRow]:
        """The sessions with each page moved to where it belongs, told from the first of them."""
        sample: list[SessionRow] = []
        if self._pages is None:
            sample = self._examine(rows)
        for row in chain(sample, rows):
            if isinstance(row, BadRow) or self.pairing == "before":
                yield row
            else:
                yield row._replace(session=move_pages(row.session))

    def _examine(self, rows: Iterator[SessionRow]) -> list[SessionRow]:
        """Take sessions until the pairing can be told, and say what was found. Raises PairingUnclearError."""
        sample: list[SessionRow] = []
        total, characters = PairingTest(0, 0, 0), 0
        for row in rows:
            sample.append(row)
            if isinstance(row, BadRow):
                continue
            total = PairingTest(*(old + new for old, new in zip(total, count_names(row.session), strict=True)))
            characters += sum(len(step.html or "") for step in row.session.steps)
            if total.actions >= _SAMPLE_ACTIONS or characters >= _SAMPLE_CHARACTERS:
                break
        self.test, self.pairing = total, total.verdict
        if self.pairing is None:
            raise PairingUnclearError(
                f"{total}; {FEWEST} actions and a clear difference are needed, or --pages before or after"
            )
        return sample


def _find_columns(files: Sequence[Path], given: Mapping[str, str]) -> dict[str, str]:
    """The column for each use. Raises RowsError."""
    if unknown := sorted(given.keys() - USUAL_NAMES.keys()):
        raise RowsError(f"no use {unknown[0]!r} for a column; there are {', '.join(USUAL_NAMES)}")
    found: dict[str, str] = {}
    for file in files:
        there = column_names(file)
        for use, usual in USUAL_NAMES.items():
            names = (given[use],) if use in given else usual
            column = next((name for name in names if name in there), None)
            if column is None and (use in given or use in ("session", "html")):
                raise RowsError(
                    f"{file}: no column {' or '.join(map(repr, names))} ({use}); there are {', '.join(there)}"
                )
            if column is not None and found.setdefault(use, column) != column:
                raise RowsError(f"{file}: the column for {use} is {column!r} here and {found[use]!r} in another file")
        if "action" not in found and "type" not in found:
            raise RowsError(f"{file}: no column for the action or its type; there are {', '.join(there)}")
    return found

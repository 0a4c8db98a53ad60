"""OPeRA (Hugging Face `NEU-HAI/OPeRA`, arXiv 2506.05606): `action` tables as sessions, `user` tables as personas.

An `input` becomes `type_and_submit` where the reward spec has that type and not `input`. Types that the spec does not
know (`navigation`, `tab_activate`, and under the paper's own spec `scroll`) are left out and counted, as in the paper.
"""

from collections import Counter
from collections.abc import Generator, Iterator, Sequence
from pathlib import Path
from typing import Any

from reward_server.decoding import DecodeError, decode
from reward_server.reward.action import ActionSpace
from trainer.sessions.faults import BadRow, Fault
from trainer.sessions.files import Located, SessionRow
from trainer.sessions.readers.rows import (
    Row,
    RowsError,
    Spool,
    column_names,
    missing_columns,
    moment,
    read_rows,
    text_of,
)
from trainer.sessions.schema import Session, Step

_NEEDED = ("session_id", "action_type", "simplified_html")
_COLUMNS = (*_NEEDED, "timestamp", "click_type", "semantic_id", "input_text", "rationale", "url")
_USER_COLUMNS = ("user_id", "survey")


class Opera:
    """The sessions of OPeRA's action files, with personas from its user files."""

    def __init__(self, files: Sequence[Path], users: Sequence[Path], space: ActionSpace) -> None:
        """Raises RowsError for a file that is no table of OPeRA's."""
        for file, needed in [*((file, _NEEDED) for file in files), *((file, _USER_COLUMNS) for file in users)]:
            if problem := missing_columns(needed, column_names(file)):
                raise RowsError(f"{file}: {problem}")
        self._files = files
        self._users = users
        self._space = space
        self.left_out: Counter[str] = Counter()
        """Rows left out, by action type."""

    def __iter__(self) -> Iterator[SessionRow]:
        spool = Spool()
        for file in self._files:
            for row in read_rows(file, _COLUMNS):
                bad = row if isinstance(row, BadRow) else self._spooled(row, spool)
                if bad is not None:
                    yield bad
        personas = yield from self._personas()
        for session, rows in spool.sessions():
            yield from self._session(session, rows, personas)
        spool.close()

    def _spooled(self, row: Row, spool: Spool) -> BadRow | None:
        session, action_type = row.values.get("session_id"), row.values.get("action_type")
        if not isinstance(session, str) or not session:
            return row.bad(Fault.BAD_FIELD, "session_id", "a session's id is needed")
        if not isinstance(action_type, str):
            return row.bad(Fault.BAD_FIELD, "action_type", "an action's type is needed")
        if self._type(action_type) is None:
            self.left_out[action_type] += 1
            return None
        try:
            position = moment(row.values["timestamp"]).timestamp() if row.values.get("timestamp") else None
        except (TypeError, ValueError) as error:
            return row.bad(Fault.BAD_FIELD, "timestamp", str(error))
        try:
            spool.add(session, position, row)
        except TypeError as error:
            return row.bad(Fault.BAD_FIELD, "", str(error))
        return None

    def _type(self, action_type: str) -> str | None:
        """What the spec calls an action type; None where it has no such type."""
        if action_type in self._space:
            return action_type
        return "type_and_submit" if action_type == "input" and "type_and_submit" in self._space else None

    def _personas(self) -> Generator[BadRow, None, dict[str, Any]]:
        personas: dict[str, Any] = {}
        for file in self._users:
            for row in read_rows(file, _USER_COLUMNS):
                if isinstance(row, BadRow):
                    yield row
                    continue
                user, survey = row.values.get("user_id"), row.values.get("survey")
                if not isinstance(user, str):
                    yield row.bad(Fault.BAD_FIELD, "user_id", "a user's id is needed")
                    continue
                try:
                    personas[user] = decode(survey.encode()) if isinstance(survey, str) and survey else survey
                except DecodeError as error:
                    yield row.bad(Fault.BAD_FIELD, "survey", error.reason)
        return personas

    def _session(self, name: str, rows: list[Row], personas: dict[str, Any]) -> Iterator[SessionRow]:
        parts = name.rsplit("_", 2)
        user = parts[0] if len(parts) == 3 else None
        persona = personas.get(user) if user else None
        steps = []
        for row in rows:
            try:
                steps.append(self._step(row))
            except (TypeError, ValueError) as error:
                yield row.bad(Fault.BAD_FIELD, "", str(error))
        if not steps:
            return
        try:
            session = Session(session=name, user=user, persona=persona, steps=steps)
        except ValueError as error:
            yield rows[0].bad(Fault.BAD_FIELD, "session_id", str(error))
            return
        yield Located(rows[0].file, rows[0].number, session)

    def _step(self, row: Row) -> Step:
        values = row.values
        action_type = self._type(values["action_type"])
        fields = {
            "name": text_of(values, "semantic_id"),
            "text": values.get("input_text"),
            "click_type": text_of(values, "click_type"),
        }
        kept = {"click": ("name", "click_type"), "terminate": (), "scroll": ()}.get(str(action_type), ("name", "text"))
        action = {"type": action_type, **{name: fields[name] for name in kept if fields[name] is not None}}
        return Step(
            html=values.get("simplified_html") or None,
            action=action,
            rationale=text_of(values, "rationale"),
            timestamp=moment(values["timestamp"]) if values.get("timestamp") else None,
            url=text_of(values, "url"),
        )

"""Session files: JSON lines of `schema.Session`, read and written in a stream."""

from collections.abc import Iterable, Iterator
from typing import BinaryIO, NamedTuple

import orjson
from pydantic import ValidationError

from reward_server.decoding import DecodeError, EncodingError, decode, pointer
from reward_server.json_lines import json_lines, too_long
from trainer.sessions.faults import BadRow, Fault
from trainer.sessions.schema import Session
from trainer.sessions.seen import Place, Seen


class Located(NamedTuple):
    """A session, and where it stands."""

    file: str
    line: int
    """Counted from 1."""
    session: Session

    def bad(self, fault: Fault, pointer: str, reason: str) -> BadRow:
        """What is wrong with it."""
        return BadRow(self.file, self.line, fault, pointer, reason)


SessionRow = Located | BadRow


def read_sessions(file: BinaryIO, name: str) -> Iterator[SessionRow]:
    """The sessions of a file, in order, and the lines that are none; `name` stands for the file in both."""
    for line in json_lines(file):
        yield _read(line.content, name, line.number)


def unique(rows: Iterable[SessionRow]) -> Iterator[SessionRow]:
    """The same, with a bad row in place of every session whose id came before."""
    seen = Seen()
    for row in rows:
        if isinstance(row, Located):
            first = seen.first("session", row.session.session.encode(), Place(0, row.line))
            if first is not None:
                reason = f"the id {row.session.session!r} came before, at line {first.line}"
                yield row.bad(Fault.DUPLICATE_SESSION, "/session", reason)
                continue
        yield row
    seen.close()


def write_session(session: Session) -> bytes:
    """A session as its line of a file."""
    return orjson.dumps(session.model_dump(mode="json", exclude_none=True), option=orjson.OPT_APPEND_NEWLINE)


def _read(content: bytes | None, name: str, number: int) -> SessionRow:
    if content is None:
        return BadRow(name, number, Fault.NOT_JSON, "", too_long())
    try:
        value = decode(content)
        session = Session.model_validate(value)
    except EncodingError as error:
        return BadRow(name, number, Fault.BAD_ENCODING, error.pointer, error.reason)
    except DecodeError as error:
        return BadRow(name, number, Fault.NOT_JSON, error.pointer, error.reason)
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        return BadRow(name, number, Fault.BAD_FIELD, pointer(first["loc"]), first["msg"])
    if not session.steps:
        return BadRow(name, number, Fault.NO_STEPS, "/steps", "a session without actions")
    return Located(name, number, session)

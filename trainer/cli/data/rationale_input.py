"""The sessions that `shop-r1 data rationales` reads twice: to count what is missing, and to fill it."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import islice
from typing import BinaryIO

import typer

from reward_server.terminal import byte_progress, size_of
from trainer.cli.data.sources import Complaints, refuse_nothing
from trainer.rationales.stop import Stop
from trainer.sessions.faults import BadRow
from trainer.sessions.files import read_sessions
from trainer.sessions.schema import Session


@dataclass(frozen=True, slots=True)
class TwoPasses:
    """An opened file of sessions, read one at a time."""

    source: BinaryIO
    name: str
    limit: int | None
    """How many sessions are taken; None for all."""
    skip_bad: bool

    def __post_init__(self) -> None:
        if not self.source.seekable():
            raise typer.BadParameter(f"{self.name} is read twice, so it cannot be a pipe")

    def first(self, doing: str) -> Iterator[Session]:
        """The sessions, with a progress bar; at their end raises typer.Exit where there are none, or bad lines that are
        not to be skipped."""
        complaints = Complaints(self.skip_bad)
        count = 0
        with byte_progress(doing) as progress:
            wrapped = progress.wrap_file(self.source, total=size_of(self.source) or 0, description=doing)
            for session in islice(self._good(wrapped, complaints.add), self.limit):
                count += 1
                yield session
        complaints.settle()
        complaints.show()
        refuse_nothing(count, f"{self.name} has no sessions")

    def second(self) -> Iterator[Session]:
        """The same sessions again. Raises Stop where a line is bad that was not before."""
        self.source.seek(0)
        yield from islice(self._good(self.source, self._refuse), self.limit)

    def _refuse(self, bad: BadRow) -> None:
        if not self.skip_bad:
            raise Stop(f"{self.name} changed while it was read: {bad}")

    def _good(self, source: BinaryIO, told: Callable[[BadRow], None]) -> Iterator[Session]:
        for row in read_sessions(source, self.name):
            if isinstance(row, BadRow):
                told(row)
            else:
                yield row.session

"""What was seen before, and where: an index on disk, so that a file's size costs no memory."""

import sqlite3
from hashlib import blake2b
from typing import NamedTuple


class Place(NamedTuple):
    """Where something was first seen."""

    file: int
    """Which of the files, from 0."""
    line: int


class Seen:
    """Keys of several kinds with the place each was first seen at; a temporary database, gone when closed.

    Keys are held as 64-bit digests: among ten million, the chance of any mistaken meeting is under one in 300,000.
    """

    def __init__(self) -> None:
        self._database = sqlite3.connect("", isolation_level=None)
        self._database.execute("PRAGMA journal_mode = OFF")
        self._database.execute("PRAGMA synchronous = OFF")
        self._database.execute("CREATE TABLE seen (digest INTEGER PRIMARY KEY, file INTEGER, line INTEGER)")
        self._database.execute("BEGIN")

    def first(self, kind: str, key: bytes, place: Place) -> Place | None:
        """Where `key` was first seen; None if that is here and now."""
        digest = int.from_bytes(blake2b(key, digest_size=8, person=kind.encode()).digest(), signed=True)
        added = self._database.execute("INSERT OR IGNORE INTO seen VALUES (?, ?, ?)", (digest, *place))
        if added.rowcount:
            return None
        row = self._database.execute("SELECT file, line FROM seen WHERE digest = ?", (digest,)).fetchone()
        return Place(*row)

    def close(self) -> None:
        """Forget everything."""
        self._database.close()

"""JSON lines as bytes, read in a stream: a file's size costs no memory, and neither does a line without an end."""

from codecs import BOM_UTF8
from collections.abc import Iterator
from typing import BinaryIO, NamedTuple

LONGEST_LINE = 256 * 2**20
"""Bytes of one line, above which it counts as bad instead of being read into memory."""

_SKIPPED_BYTES = 2**20


class RawLine(NamedTuple):
    """One line that is not blank."""

    number: int
    """Counted from 1, blank lines too."""
    end: int
    """Bytes of the file up to and with this line."""
    content: bytes | None
    """None in place of a line that is too long to hold."""


def too_long() -> str:
    """What is wrong with a line that has no content."""
    return f"longer than {LONGEST_LINE:,} bytes"


def json_lines(file: BinaryIO) -> Iterator[RawLine]:
    """The lines of a file, in order; a byte order mark at its start does not count."""
    number = end = 0
    while content := file.readline(LONGEST_LINE + 1):
        number += 1
        end += len(content)
        if len(content) > LONGEST_LINE:
            while not content.endswith(b"\n") and (content := file.readline(_SKIPPED_BYTES)):
                end += len(content)
            yield RawLine(number, end, None)
            continue
        if number == 1:
            content = content.removeprefix(BOM_UTF8)
        # Without its end, so that an error at the end of the line is not told as one on a second line.
        content = content.rstrip()
        if content:
            yield RawLine(number, end, content)

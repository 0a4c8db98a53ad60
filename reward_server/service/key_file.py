"""API keys from a file, which is read again when it changes: a mounted Kubernetes Secret rotates without a restart."""

import logging
from collections.abc import Iterator
from pathlib import Path

from reward_server.scoring import ConfigurationError

_log = logging.getLogger("uvicorn.error")

_Stamp = tuple[int, int, int, int]


class KeyFile:
    """The keys of `REWARD_API_KEYS_FILE`. A file that can no longer be used keeps those it had last."""

    def __init__(self, path: Path, shortest: int) -> None:
        """Keys need `shortest` characters. Raises ConfigurationError for a file that gives no good keys."""
        self._path = path
        self._shortest = shortest
        self._complaint: str | None = None
        try:
            self._stamp: _Stamp | None = _stamp(path)
            self._keys = read_keys(path, shortest)
        except (OSError, ValueError) as error:
            raise ConfigurationError(f"REWARD_API_KEYS_FILE {path}: {_reason(error)}") from None

    def keys(self) -> tuple[str, ...]:
        """The keys as of now; one `stat` where the file has not changed."""
        try:
            stamp = _stamp(self._path)
            if stamp != self._stamp:
                self._keys = read_keys(self._path, self._shortest)
                self._stamp, self._complaint = stamp, None
                _log.info("REWARD_API_KEYS_FILE was read again; keys in it: %d", len(self._keys))
        except (OSError, ValueError) as error:
            self._stamp = None
            self._complain(_reason(error))
        return self._keys

    def _complain(self, reason: str) -> None:
        if reason != self._complaint:
            _log.error("REWARD_API_KEYS_FILE %s: %s; the keys read last stay valid", self._path, reason)
            self._complaint = reason


def read_keys(path: Path, shortest: int) -> tuple[str, ...]:
    """The file's keys: one a line, or between commas, and `#` comments that begin a line or follow a space.

    Raises OSError, and ValueError with the line, never its text, for what cannot be a key and for a file without any.
    """
    try:
        text = path.read_text(encoding="utf-8-sig")
    except UnicodeDecodeError:
        raise ValueError("it is not UTF-8") from None
    keys = tuple(key for number, line in enumerate(text.split("\n"), 1) for key in _keys_of(line, number, shortest))
    if not keys:
        raise ValueError("it has no keys")
    return keys


def _keys_of(line: str, number: int, shortest: int) -> Iterator[str]:
    words = f" {line}".partition(" #")[0]
    for key in (part.strip() for part in words.split(",")):
        if not key:
            continue
        if not key.isprintable() or " " in key:
            raise ValueError(f"line {number}: white space or a control character within a key")
        if len(key) < shortest:
            raise ValueError(f"line {number}: a key of {len(key)} characters; {shortest} are needed")
        yield key


def _stamp(path: Path) -> _Stamp:
    status = path.stat()
    return status.st_mtime_ns, status.st_ctime_ns, status.st_ino, status.st_size


def _reason(error: OSError | ValueError) -> str:
    return (error.strerror or str(error)) if isinstance(error, OSError) else str(error)

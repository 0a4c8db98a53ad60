"""One process at a time has a run's folder."""

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from trainer.openrlhf.problems import FolderError


@contextmanager
def locked(folder: Path) -> Iterator[int]:
    """Keep everyone else away from a run's folder; the lock lies beside it, and goes with whoever holds its descriptor.

    A trainer that is given the descriptor keeps the folder locked should it outlive its launcher. Raises FolderError
    where another process has the folder, or none can be made there.
    """
    file = folder.with_name(f".{folder.name}.lock")
    made = [parent for parent in file.parents if not parent.exists()]
    try:
        descriptor = _lock(file)
    except BlockingIOError:
        raise FolderError(f"{folder} belongs to a run that still goes on") from None
    except OSError as error:
        raise FolderError(f"{error.filename or file}: {error.strerror}") from None
    try:
        try:
            yield descriptor
        finally:
            _tidy(file, made)
    finally:
        os.close(descriptor)


def _lock(file: Path) -> int:
    """The locked file's descriptor. Raises OSError: BlockingIOError where another process has the lock."""
    while True:
        file.parent.mkdir(parents=True, exist_ok=True)
        descriptor = os.open(file, os.O_RDWR | os.O_CREAT, 0o644)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            if _is_there(file, descriptor):
                return descriptor
        except OSError:
            os.close(descriptor)
            raise
        os.close(descriptor)


def _is_there(file: Path, descriptor: int) -> bool:
    """Whether a file is the one that was opened: whoever had the lock until now has removed it by then."""
    try:
        return os.path.samestat(os.fstat(descriptor), os.stat(file))
    except FileNotFoundError:
        return False


def _tidy(file: Path, made: list[Path]) -> None:
    """Leave nothing beside the folder: not the lock, nor folders that were made for a run that did not start."""
    file.unlink(missing_ok=True)
    with suppress(OSError):  # the first that is not empty
        for parent in made:
            parent.rmdir()

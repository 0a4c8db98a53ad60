"""The digest of a file: what is the same for two files that hold the same."""

import hashlib
from pathlib import Path


def sha256_of(file: Path) -> str:
    """SHA-256 of its content, in hexadecimal. Raises OSError for a file that cannot be read."""
    with file.open("rb") as opened:
        return hashlib.file_digest(opened, "sha256").hexdigest()

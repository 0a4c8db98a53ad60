"""A model's name: a folder on this machine, or an id on the Hugging Face Hub."""

from pathlib import Path


def means_a_folder(name: str) -> bool:
    """Whether a name is meant as a folder, be it there or not: an id has one slash at most, and no folder beside it.

    Beside a folder a misspelt path is likelier than an id, which takes a minute to be looked up in vain.
    """
    path = Path(name).expanduser()
    beside = len(path.parts) > 1 and Path(path.parts[0]).is_dir()
    return beside or len(path.parts) > 2 or name.startswith((".", "/", "~")) or path.exists()

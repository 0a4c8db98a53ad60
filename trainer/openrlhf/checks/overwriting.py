"""Whether a run's folder can be made, or cleared, without harm to what the run is made from."""

from collections.abc import Iterator, Mapping
from pathlib import Path

from trainer.model_names import means_a_folder
from trainer.openrlhf.problems import FolderError
from trainer.openrlhf.recipe.paths import full_path
from trainer.openrlhf.run.folder import RunFolder


def check_apart(folder: RunFolder, model: str) -> None:
    """Raise FolderError for a run's folder that is the model's, or lies in it."""
    if means_a_folder(model) and folder.path.resolve().is_relative_to(full_path(model).resolve()):
        raise FolderError(f"{folder.path} is the folder of the model {model}, or lies in it: name another --out")


def check_survive(folder: RunFolder, inputs: Mapping[str, str]) -> None:
    """Raise FolderError where clearing a run's folder would remove what is to be trained on.

    `inputs` are paths by recipe key; a Hub id among them names no path.
    """
    removed = {entry.parent.resolve() / entry.name for entry in folder.entries}
    for key, name in inputs.items():
        for place in _way_to(full_path(name)):
            if place in removed:
                raise FolderError(
                    f"{key}: {name} lies in {folder.path}, from where --overwrite would remove it: name another --out"
                )


def _way_to(path: Path) -> Iterator[Path]:
    """A path and the folders it lies in, and those of each link on the way: removing any of them loses it."""
    for part in (path, *path.parents):
        here = part.parent.resolve() / part.name
        yield here
        if here.is_symlink():
            yield from _way_to((here.parent / here.readlink()).absolute())

"""The folder of a training run: what lies where, and the manifest that says what made it."""

import os
import re
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import orjson
from pydantic import BaseModel, ConfigDict, ValidationError

from trainer.openrlhf.problems import FolderError
from trainer.openrlhf.recipe.flags import Kind
from trainer.openrlhf.recipe.paths import with_full_paths
from trainer.openrlhf.recipe.yaml_text import dump_yaml

_MAY_CHANGE = (
    ("description",),
    ("out",),
    ("stall_minutes",),
    ("wandb",),
    ("server", "url"),
    ("server", "patience"),
    ("server", "tls"),
    ("openrlhf", "ckpt"),
    ("openrlhf", "logger"),
)
"""Keys of a recipe, with all below them, that a resumed run may say otherwise: none decides what is learnt."""


class RayJob(BaseModel):
    """A job on a Ray cluster."""

    model_config = ConfigDict(extra="ignore", frozen=True)

    address: str
    """The cluster's dashboard."""
    id: str
    """The submission's."""


class Manifest(BaseModel):
    """`run.json`: what made a run. It never holds a key."""

    model_config = ConfigDict(extra="ignore", frozen=True)

    recipe_name: str
    recipe: dict[str, Any]
    """The recipe as resolved, its paths whole."""
    argv: list[str]
    environment: dict[str, str]
    server: dict[str, Any] | None
    """What the server said of itself; None for SFT."""
    digest: str | None
    """The spec's, pinned for the whole run."""
    versions: dict[str, str | None]
    started: str
    """RFC 3339, in UTC."""
    inputs: dict[str, str]
    """Fingerprints of the data and the model."""
    ray_job: RayJob | None = None
    """Where the run, or its last part, was submitted; None where it ran here."""


@dataclass(frozen=True, slots=True)
class RunFolder:
    """A run's folder, by its absolute path."""

    path: Path

    @property
    def name(self) -> str:
        """The run's name, in logs and at the server."""
        return self.path.name

    @property
    def recipe(self) -> Path:
        """The recipe as resolved."""
        return self.path / "recipe.yaml"

    @property
    def manifest(self) -> Path:
        """What made the run."""
        return self.path / "run.json"

    @property
    def checkpoints(self) -> Path:
        """OpenRLHF's own (`--ckpt.path`)."""
        return self.path / "checkpoints"

    @property
    def model(self) -> Path:
        """The final model, in Hugging Face's format (`--ckpt.output_dir`)."""
        return self.path / "model"

    @property
    def tensorboard(self) -> Path:
        """Event files."""
        return self.path / "tensorboard"

    @property
    def log(self) -> Path:
        """All that OpenRLHF printed."""
        return self.path / "log.txt"

    @property
    def rollouts(self) -> Path:
        """The folder of every rollout scored, as JSON lines."""
        return self.path / "rollouts"

    @property
    def history(self) -> Path:
        """One line of metrics per step."""
        return self.path / "history.jsonl"

    @property
    def entries(self) -> tuple[Path, ...]:
        """All that a run writes, the manifest last."""
        folders = (self.checkpoints, self.model, self.tensorboard, self.rollouts)
        return (*folders, self.log, self.history, self.recipe, self.manifest)

    def steps_saved(self) -> int:
        """How many steps of an SFT run its last checkpoint has behind it; 0 without one.

        Raises FolderError where that does not say its step.
        """
        latest = self.checkpoints / "latest"
        if not latest.is_file():
            return 0
        found = re.fullmatch(r"global_step([0-9]{1,15})", tag := _first_line(latest))
        if found is None:
            raise FolderError(f"{latest} names {tag!r}: a run of SFT goes on from a global_step alone")
        return int(found[1])

    def check_checkpoint(self, trainer: Kind) -> None:
        """Raise FolderError without a checkpoint to go on from: OpenRLHF would start anew, with a warning at most."""
        saved = self.checkpoints / "_actor" if trainer == "grpo" else self.checkpoints
        latest = saved / "latest"
        if not latest.is_file():
            raise FolderError(f"{self.path} has no checkpoint yet to resume from: start anew with --overwrite")
        tag = _first_line(latest)
        # DeepSpeed looks for these files (engine.py, _get_all_ckpt_names), and loads nothing where there are none.
        if tag not in {file.parent.name for file in saved.glob("*/*model_states.pt")}:
            raise FolderError(f"{latest} names the checkpoint {tag!r}, which is not there")
        if trainer == "sft":
            self.steps_saved()

    def is_filled(self) -> bool:
        """Whether anything lies there. Raises FolderError where it is no folder, or cannot be read."""
        try:
            return self.path.exists() and any(self.path.iterdir())
        except OSError as error:
            raise FolderError(f"{self.path}: {error.strerror}") from None

    def read(self) -> Manifest:
        """The manifest. Raises FolderError where there is none."""
        try:
            return Manifest.model_validate(orjson.loads(self.manifest.read_bytes()))
        except FileNotFoundError:
            raise FolderError(f"{self.path} is no run's folder: it has no {self.manifest.name}") from None
        except OSError as error:
            raise FolderError(f"{self.manifest}: {error.strerror}") from None
        except orjson.JSONDecodeError:
            raise FolderError(f"{self.manifest} is not JSON") from None
        except ValidationError as error:
            first = error.errors(include_url=False, include_input=False)[0]
            raise FolderError(f"{self.manifest}: {'.'.join(map(str, first['loc']))}: {first['msg']}") from None

    def write(self, manifest: Manifest) -> None:
        """Make the folder with its recipe and its manifest. Raises FolderError."""
        try:
            self.path.mkdir(parents=True, exist_ok=True)
            _replace(self.recipe, dump_yaml(manifest.recipe).encode())
            _replace(self.manifest, orjson.dumps(manifest.model_dump(), option=orjson.OPT_INDENT_2))
        except OSError as error:
            raise FolderError(f"{error.filename or self.path}: {error.strerror}") from None

    def clear(self) -> None:
        """Remove what an earlier run left; nothing that no run writes. Raises FolderError."""
        try:
            for entry in self.entries:
                if entry.is_dir() and not entry.is_symlink():
                    shutil.rmtree(entry)
                else:
                    entry.unlink(missing_ok=True)
        except OSError as error:
            raise FolderError(f"{error.filename or self.path}: {error.strerror}") from None


def check_new(folder: RunFolder, *, overwrite: bool) -> None:
    """Raise FolderError where a new run may not go there: something is there, or (to overwrite) something else is."""
    if not folder.is_filled():
        return
    if not overwrite:
        raise FolderError(
            f"{folder.path} is not empty: go on with --resume, start anew with --overwrite, or name --out"
        )
    folder.read()


def check_resumable(folder: RunFolder, recipe: dict[str, Any], trainer: Kind) -> Manifest:
    """The manifest of the run to go on with.

    Raises FolderError where there is none, where it has no checkpoint (OpenRLHF would start anew without a word), or
    where its recipe was another in a way that decides what is learnt.
    """
    if not folder.is_filled():
        raise FolderError(f"{folder.path} holds no run to resume")
    manifest = folder.read()
    before, now = dict(_leaves(with_full_paths(manifest.recipe))), dict(_leaves(with_full_paths(recipe)))
    for path in sorted(before.keys() | now.keys()):
        may_change = any(path[: len(free)] == free for free in _MAY_CHANGE)
        if not may_change and not _is_same(before.get(path), now.get(path)):
            was, is_now = before.get(path, "not set"), now.get(path, "not set")
            raise FolderError(
                f"{folder.path} was made by another recipe: {'.'.join(path)} was {was}, and is {is_now} now; "
                "resume with its own recipe.yaml, or name another --out"
            )
    folder.check_checkpoint(trainer)
    return manifest


def check_digest(folder: RunFolder, manifest: Manifest, digest: str) -> None:
    """Raise FolderError where the server's spec is not the one that the run was made with."""
    if manifest.digest != digest:
        raise FolderError(f"{folder.path} was rewarded by {manifest.digest}, and the server's spec is {digest} now")


def _first_line(latest: Path) -> str:
    """What DeepSpeed's file `latest` says."""
    try:
        return latest.read_text(errors="replace").strip()
    except OSError as error:
        raise FolderError(f"{latest}: {error.strerror}") from None


def _is_same(before: object, now: object) -> bool:
    """Whether two values are one, or two spellings of a path."""
    are_paths = isinstance(before, str) and isinstance(now, str) and os.path.isabs(before) and os.path.isabs(now)
    return before == now or (are_paths and os.path.realpath(str(before)) == os.path.realpath(str(now)))


def _leaves(tree: dict[str, Any], path: tuple[str, ...] = ()) -> list[tuple[tuple[str, ...], Any]]:
    leaves: list[tuple[tuple[str, ...], Any]] = []
    for key, value in tree.items():
        here = (*path, key)
        leaves += _leaves(value, here) if isinstance(value, dict) else [(here, value)]
    return leaves


def _replace(file: Path, content: bytes) -> None:
    """Write a file whole or not at all."""
    part = file.with_name(f"{file.name}.part")
    part.write_bytes(content)
    part.replace(file)

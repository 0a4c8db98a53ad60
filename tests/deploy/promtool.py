"""Prometheus' own tools; Debian's package `prometheus` has them."""

import shutil
import subprocess
from collections.abc import Sequence
from pathlib import Path

import yaml


def tool(name: str) -> str:
    """Where a tool lies. A check that cannot run fails."""
    found = shutil.which(name)
    assert found, f"{name} is not installed: apt-get install --no-install-recommends prometheus"
    return found


def promtool(*arguments: str | Path) -> None:
    """Run promtool, which has to be content."""
    ended = subprocess.run([tool("promtool"), *arguments], capture_output=True, text=True, timeout=120)
    assert ended.returncode == 0, ended.stdout + ended.stderr


def parse(expressions: Sequence[str], folder: Path) -> None:
    """Have every expression read as a rule that records it."""
    rules = [{"record": "query", "labels": {"n": str(n)}, "expr": text} for n, text in enumerate(expressions)]
    path = folder / "rules.yaml"
    path.write_text(yaml.safe_dump({"groups": [{"name": "queries", "rules": rules}]}), encoding="utf-8")
    promtool("check", "rules", path)

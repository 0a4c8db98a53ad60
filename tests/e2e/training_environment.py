"""Programs of the training environment (`.venv-train`): the real OpenRLHF, Ray, DeepSpeed and vLLM."""

import os
import subprocess
from pathlib import Path

ROOT = Path(__file__).parents[2]
BIN = ROOT / ".venv-train" / "bin"


def environment(**added: str) -> dict[str, str]:
    """This process's, without what would set our programs up otherwise, and with what is added."""
    ours = ("REWARD_", "SHOP_R1_", "COVERAGE_")
    return {name: value for name, value in os.environ.items() if not name.startswith(ours)} | added


def run(
    program: str, *arguments: object, timeout: float = 600, cwd: Path | None = None, **added: str
) -> subprocess.CompletedProcess[str]:
    """Run a program to its end; the caller judges its status."""
    return subprocess.run(
        [BIN / program, *map(str, arguments)],
        env=environment(**added),
        capture_output=True,
        text=True,
        timeout=timeout,
        cwd=cwd,
        check=False,
    )

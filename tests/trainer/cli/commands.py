"""`shop-r1`, run as a user runs it: the installed command, in an environment without settings of its own."""

import os
import subprocess
import sysconfig
from pathlib import Path

COMMAND = Path(sysconfig.get_path("scripts"), "shop-r1")
BAD_INPUT, WRONG_USAGE = 1, 2


def run(
    *arguments: object, stdin: bytes | None = None, cwd: Path | None = None, **environment: str
) -> subprocess.CompletedProcess[str]:
    """`shop-r1 …` on a terminal of 80 columns, unless COLUMNS says otherwise."""
    ours = ("SHOP_R1_", "REWARD_", "FORCE_COLOR", "PY_COLORS", "GITHUB_ACTIONS")
    clean = {name: value for name, value in os.environ.items() if not name.startswith(ours)}
    done = subprocess.run(
        [COMMAND, *map(str, arguments)],
        env={**clean, "COLUMNS": "80", **environment},
        input=stdin,
        capture_output=True,
        cwd=cwd,
        timeout=300,
    )
    return subprocess.CompletedProcess(done.args, done.returncode, done.stdout.decode(), done.stderr.decode())

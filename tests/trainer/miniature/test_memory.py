"""Memory is that of a process and of all it started."""

import subprocess
import sys
import time

from trainer.miniature.memory import PeakMemory, memory_of

MEBIBYTE = 2**20
HOLD = "import sys, time; held = b'x' * int(sys.argv[1]); print(flush=True); time.sleep(600)"
PARENT = f"import subprocess, sys; subprocess.run([sys.executable, '-c', {HOLD!r}, sys.argv[1]])"


def test_what_a_child_holds_is_counted() -> None:
    command = [sys.executable, "-c", PARENT, str(64 * MEBIBYTE)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, start_new_session=True) as process:
        assert process.stdout is not None
        process.stdout.readline()
        with PeakMemory(process.pid) as peak:
            while not peak.bytes:
                time.sleep(0.05)
        subprocess.run(["pkill", "-9", "-g", str(process.pid)], check=True)
    assert 64 * MEBIBYTE < peak.bytes < 200 * MEBIBYTE


def test_a_process_that_is_gone_takes_none() -> None:
    process = subprocess.Popen([sys.executable, "-c", ""])
    process.wait()
    assert memory_of(process.pid) == 0

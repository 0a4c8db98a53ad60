"""Real vLLM servers for tests: the CPU build, in a virtual environment of its own."""

import os
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryFile
from time import sleep

import httpx

from tests.e2e.training_environment import BIN

PYTHON = BIN / "python"
SCORING = "reward_server.vllm_plugin"
"""Module that serves a model for self-certainty."""
STOCK = "vllm.entrypoints.openai.api_server"

_SECONDS_TO_START = 300


@dataclass
class VLLMServer:
    """A running vLLM."""

    url: str
    process: subprocess.Popen[bytes]


@contextmanager
def serving(module: str, *arguments: str | Path, **variables: str) -> Iterator[VLLMServer]:
    """A vLLM that serves a model in single precision, until the context ends."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    command = [PYTHON, "-m", module, *arguments, "--port", str(port), "--host", "127.0.0.1", "--dtype", "float32"]
    environment = os.environ | {"VLLM_CPU_KVCACHE_SPACE": "1", "HF_HUB_OFFLINE": "1"} | variables
    with TemporaryFile() as log:
        process = subprocess.Popen(
            list(map(str, command)), env=environment, stdout=log, stderr=subprocess.STDOUT, start_new_session=True
        )
        try:
            url = f"http://127.0.0.1:{port}"
            _wait(process, url)
            yield VLLMServer(url, process)
        except BaseException:
            log.seek(0)
            sys.stderr.write(log.read()[-8_000:].decode(errors="replace"))
            raise
        finally:
            process.terminate()
            try:
                process.wait(30)
            except subprocess.TimeoutExpired:
                os.killpg(process.pid, 9)
                process.wait()


def _wait(process: subprocess.Popen[bytes], url: str) -> None:
    for _ in range(_SECONDS_TO_START * 2):
        if process.poll() is not None:
            raise RuntimeError(f"vLLM ended with status {process.returncode}")
        try:
            if httpx.get(f"{url}/health", timeout=5).is_success:
                return
        except httpx.TransportError:
            pass
        sleep(0.5)
    raise TimeoutError("vLLM did not start")

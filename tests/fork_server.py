"""Reads the commands' code once; every command then is a process forked from this one.

To read the code takes longer than most commands do. It reads requests as lines of JSON on standard input, and writes
each command's exit status as a line of standard output.
"""

import atexit
import json
import os
import runpy
import sys
import threading
import traceback
from importlib import import_module
from typing import Any

# The commands' own, and what they import only once they need it.
READ_AHEAD = (
    *("reward_server.cli", "trainer.cli", "reward_server.certainty.rollout", "trainer.evaluation.report"),
    *("trainer.sessions.page", "trainer.sessions.storefront", "trainer.training_curves", "numpy", "lxml.html"),
    *("jinja2", "matplotlib.figure", "openai", "pyarrow", "tokenizers", "typer.rich_utils", "yaml"),
)


def become(request: dict[str, Any]) -> None:
    """Be the process that is asked for, until the end of its program."""
    os.setsid()
    streams = (os.devnull, os.O_RDONLY), (request["out"], os.O_WRONLY), (request["err"], os.O_WRONLY)
    for stream, (path, flags) in enumerate(streams):
        os.dup2(os.open(path, flags), stream)
    os.environ.clear()
    os.environ.update(request["environment"])
    os.chdir(request["cwd"])
    program, *arguments = request["command"]
    sys.argv = [program, *arguments]
    if os.path.isabs(program):
        runpy.run_path(program, run_name="__main__")
    else:
        runpy.run_module(program, run_name="__main__", alter_sys=True)


def end(request: dict[str, Any]) -> None:
    """Be the process that is asked for, and end as Python ends, but for clearing memory, which takes long."""
    status: object = 1
    try:
        become(request)
        status = 0
    except SystemExit as ended:
        status = ended.code or 0
    except BaseException:
        traceback.print_exc()
    if not isinstance(status, int):
        sys.stderr.write(f"{status}\n")
        status = 1
    for thread in set(threading.enumerate()) - {threading.main_thread()}:
        if not thread.daemon:
            thread.join()
    atexit._run_exitfuncs()
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(status)


def serve() -> None:
    """Fork for every request, and say how the process ended."""
    for line in iter(sys.stdin.buffer.readline, b""):
        child = os.fork()
        if child == 0:
            end(json.loads(line))
        status = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
        sys.stdout.write(f"{status}\n")
        sys.stdout.flush()


if __name__ == "__main__":
    for module in READ_AHEAD:
        import_module(module)
    serve()

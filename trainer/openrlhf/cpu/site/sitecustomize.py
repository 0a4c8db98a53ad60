"""Python runs this at the start of every process that has its folder on PYTHONPATH."""

import os
import runpy
import sys
from importlib.machinery import PathFinder
from pathlib import Path

if os.environ.get("SHOP_R1_ON_CPU") == "1":
    from trainer.openrlhf.cpu.hooks import install

    install()

_here = Path(__file__).parent
_next = PathFinder.find_spec("sitecustomize", [path for path in sys.path if Path(path or ".").resolve() != _here])
if _next is not None and _next.origin is not None:
    # Python runs only the first it finds; the machine's own is not to be lost.
    runpy.run_path(_next.origin)

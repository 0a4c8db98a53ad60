"""Which versions of vLLM the plugin is written for."""

import os

SUPPORTED = ((0, 32), (0, 33))
"""From the first up to, not with, the second. Tested: 0.32.0, CPU build, model runner V1."""

UNTESTED = "SHOP_R1_UNTESTED_VLLM"
"""Environment variable: 1 lets other versions try."""


class UnsupportedVersion(RuntimeError):
    """A vLLM that the plugin has not been written for."""


def check_version() -> None:
    """Raise UnsupportedVersion, saying what to do, unless this vLLM is one of those supported."""
    from vllm import __version__, __version_tuple__

    lowest, beyond = SUPPORTED
    if lowest <= __version_tuple__[:2] < beyond or os.environ.get(UNTESTED) == "1":
        return
    raise UnsupportedVersion(
        f"shop-r1 measures self-certainty inside vLLM {_dotted(lowest)} up to, not with, {_dotted(beyond)}; this is "
        f"{__version__}. Install one of these, or set {UNTESTED}=1 and compare its values with transformers first"
    )


def _dotted(version: tuple[int, int]) -> str:
    return ".".join(map(str, version))

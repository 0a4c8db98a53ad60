"""Coverage-guided fuzzing by Atheris: `python -m tests.fuzz TARGET --inputs N`; see docs/testing.md.

Ends with a report; an input that breaks a target is written beside the corpus, and the exit status is not 0.
"""

import argparse
import gc
import json
import re
import sys
import time
from collections.abc import Callable
from pathlib import Path
from random import Random

import atheris
import psutil

with atheris.instrument_imports(include=["reward_server"]):
    from tests.fuzz.seeds import SEEDS, WORDS
    from tests.fuzz.targets import TARGETS

_LONGEST_INPUT = 4_096
_SECONDS_TO_ANSWER = 20
_MEBIBYTES = 2_048
_TEXT = re.compile(rb'"(?:[^"\\]|\\.)*"')
_SETTLED = 100_000
"""Inputs after which memory counts: what is kept on purpose is there by then."""


class Watch:
    """Counts and times a target's inputs, and looks at the memory of the process."""

    def __init__(self, target: Callable[[bytes], None], inputs: int) -> None:
        self.target = target
        self.inputs = inputs
        self.count = 0
        self.slowest = (0.0, b"")
        self.settled_memory = 0
        self.started = time.monotonic()

    def __call__(self, data: bytes) -> None:
        """One input."""
        started = time.perf_counter()
        self.target(data)
        taken = time.perf_counter() - started
        self.count += 1
        if taken > self.slowest[0]:
            self.slowest = (taken, data)
        if self.count == _SETTLED:
            self.settled_memory = _memory()
        if self.count == self.inputs:
            self.report()

    def report(self) -> None:
        """Say what was seen; here, because Atheris never returns, nor does it let Python end in its own way."""
        seconds, slowest = self.slowest
        lines = (
            f"{self.count:,} inputs in {time.monotonic() - self.started:,.0f} s",
            f"slowest: {seconds * 1000:.1f} ms for {len(slowest)} bytes: {slowest[:200]!r}",
            f"memory: {self.settled_memory} MiB after {_SETTLED:,} inputs, {_memory()} MiB at the end",
        )
        sys.stderr.write("".join(f"{line}\n" for line in lines))


def mutate(data: bytes, longest: int, seed: int) -> bytes:
    """Every other time one text inside the JSON: most changes to bytes leave no JSON, and get no further."""
    texts = list(_TEXT.finditer(data))
    random = Random(seed)
    if not texts or random.random() < 0.5:
        return bytes(atheris.Mutate(data, longest))
    text = random.choice(texts)
    try:
        old = json.loads(text[0]).encode(errors="surrogatepass")
    except ValueError:
        return bytes(atheris.Mutate(data, longest))
    new = atheris.Mutate(old, max(len(old), longest - len(data)))
    written = json.dumps(new.decode(errors=random.choice(("replace", "surrogateescape"))))
    mutated = data[: text.start()] + written.encode() + data[text.end() :]
    return mutated if len(mutated) <= longest else bytes(atheris.Mutate(data, longest))


def main() -> None:
    """Fuzz one target."""
    parser = argparse.ArgumentParser(prog="python -m tests.fuzz", description=__doc__)
    parser.add_argument("target", choices=TARGETS)
    parser.add_argument("--inputs", type=int, default=1_000_000, help="how many to try (1,000,000)")
    parser.add_argument("--out", type=Path, default=Path("out/fuzz"), help="where the corpus is kept (out/fuzz)")
    options = parser.parse_args()
    corpus = options.out / options.target
    corpus.mkdir(parents=True, exist_ok=True)
    for number, seed in enumerate(SEEDS[options.target]):
        (corpus / f"seed-{number}").write_bytes(seed)
    words = options.out / "words.txt"
    words.write_text("".join(f'"{_escaped(word.encode())}"\n' for word in WORDS))
    watch = Watch(TARGETS[options.target], options.inputs)
    flags = {
        "runs": options.inputs,
        "max_len": _LONGEST_INPUT,
        "timeout": _SECONDS_TO_ANSWER,
        "rss_limit_mb": _MEBIBYTES,
        "dict": words,
        "artifact_prefix": f"{options.out}/{options.target}-",
        "print_final_stats": 1,
    }
    atheris.Setup(
        [sys.argv[0], *(f"-{name}={value}" for name, value in flags.items()), str(corpus)], watch, custom_mutator=mutate
    )
    atheris.Fuzz()


def _escaped(word: bytes) -> str:
    return "".join(f"\\x{byte:02x}" for byte in word)


def _memory() -> int:
    gc.collect()
    return int(psutil.Process().memory_info().rss) // 2**20


if __name__ == "__main__":
    main()

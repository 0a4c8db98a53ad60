"""What OpenRLHF prints -> the metrics of each step: the one source that is live, and there on a Ray cluster too."""

import re
from collections.abc import Iterator
from typing import NamedTuple

_CONTROLS = re.compile(r"\x1b\[[0-9;]*[A-Za-z]")
_RAY = r"\(\w+ pid=\d+(?:, ip=[^)]*)?\) "
"""What Ray puts before a line of an actor's."""
_LOGGED = rf"(?:{_RAY})?INFO \d\d-\d\d \d\d:\d\d:\d\d ppo_trainer(?:_async)?\.py:\d+\] "
# From its start to its end: OpenRLHF also logs samples, and a page or a model may write whatever it likes.
_GRPO_STEP = re.compile(_LOGGED + r"(?:✨ )?Global step (\d+): \{(.+)\}")
_SAMPLE = re.compile(_LOGGED + "Sample: ")
_GRPO_METRIC = re.compile(r"'([^']+)': (?:tensor\()?([^,'})]+)")
_SFT_STEP = re.compile(r"Train step of epoch (\d+):[^\[]*?(\d+)/\d+ \[[^\]]*?, (gpt_loss=[^\]]*)\]\s*")
_SFT_METRIC = re.compile(r"(\w+)=([^,\]]+)")


class StepMetrics(NamedTuple):
    """What a step was like."""

    step: int
    """Optimiser steps of SFT, global steps of GRPO; counted from 1."""
    metrics: dict[str, float]
    """By OpenRLHF's own names, `timing/…` and all; NaN and infinities as they came."""


class StepReader:
    """Finds the steps in OpenRLHF's output, given line by line; a progress bar's redrawing counts as a line.

    GRPO prints each step's metrics once. SFT has them in its progress bar, once per micro batch of a step: a step's are
    the last ones shown at one count of micro batches. It does not say where it resumed: `sft_steps_done` does.
    """

    def __init__(self, sft_steps_done: int = 0) -> None:
        self._sft_step = sft_steps_done
        self._sft_place: tuple[str, str] | None = None
        self._sft_metrics: dict[str, float] = {}

    def read(self, line: str) -> Iterator[StepMetrics]:
        """The steps that are known to be over by this line: none, or one."""
        plain = _CONTROLS.sub("", line)
        if (found := _GRPO_STEP.fullmatch(plain)) is not None:
            yield StepMetrics(int(found[1]), _numbers(_GRPO_METRIC.findall(found[2])))
        elif (found := _SFT_STEP.fullmatch(plain)) is not None:
            place = (found[1], found[2])
            if place != self._sft_place:
                yield from self.rest()
                self._sft_place = place
            self._sft_metrics = _numbers(_SFT_METRIC.findall(found[3]))

    def rest(self) -> Iterator[StepMetrics]:
        """The last step of an SFT run, which no further line tells to be over."""
        if self._sft_metrics:
            self._sft_step += 1
            yield StepMetrics(self._sft_step, self._sft_metrics)
            self._sft_metrics = {}


def is_sample(line: str) -> bool:
    """Whether OpenRLHF shows here what a model wrote."""
    return _SAMPLE.match(_CONTROLS.sub("", line)) is not None


def _numbers(pairs: list[tuple[str, str]]) -> dict[str, float]:
    numbers = {}
    for name, text in pairs:
        try:
            numbers[name] = float(text)
        except ValueError:
            continue  # what is no number is no metric
    return numbers

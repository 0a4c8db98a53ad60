"""What OpenRLHF prints -> the metrics of each step: the one source that is live, and there on a Ray cluster too."""

import re
from collections.abc import Iterator
from typing import NamedTuple

_COLOURS = re.compile(r"\x1b\[[0-9;]*m")
_GRPO_STEP = re.compile(r"Global step (\d+): \{(.*)\}")
_GRPO_METRIC = re.compile(r"'([^']+)': ([^,'}]+)")
_SFT_STEP = re.compile(r"Train step of epoch (\d+):.*?(\d+)/\d+ \[.*?, (gpt_loss=.*)\]")
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
        plain = _COLOURS.sub("", line)
        if (found := _GRPO_STEP.search(plain)) is not None:
            yield StepMetrics(int(found[1]), _numbers(_GRPO_METRIC.findall(found[2])))
        elif (found := _SFT_STEP.search(plain)) is not None:
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


def _numbers(pairs: list[tuple[str, str]]) -> dict[str, float]:
    numbers = {}
    for name, text in pairs:
        try:
            numbers[name] = float(text)
        except ValueError:
            continue  # what is no number is no metric
    return numbers

"""What OpenRLHF prints -> the metrics of each step: the one source that is live, and there on a Ray cluster too."""

import re
from collections.abc import Iterator
from math import fsum
from typing import NamedTuple

_CONTROLS = re.compile(r"\x1b\[[0-9;]*[A-Za-z]")
_RAY = r"\(\w+ pid=\d+(?:, ip=[^)]*)?\) "
"""What Ray puts before a line of an actor's."""
_LOGGED = rf"(?:{_RAY})?INFO \d\d-\d\d \d\d:\d\d:\d\d ppo_trainer(?:_async)?\.py:\d+\] "
# From its start to its end: OpenRLHF also logs samples, and a page or a model may write whatever it likes.
_GRPO_STEP = re.compile(_LOGGED + r"(?:✨ )?Global step (\d+): \{(.+)\}")
_SAMPLE = re.compile(_LOGGED + "Sample: ")
_GRPO_METRIC = re.compile(r"'([^']+)': (?:tensor\()?([^,'})]+)")
_SFT_STEP = re.compile(r"Train step of epoch (\d+):[^\[]*?(\d+)/(\d+) \[[^\]]*?, (gpt_loss=[^\]]*)\]\s*")
_SFT_METRIC = re.compile(r"(\w+)=([^,\]]+)")


class StepMetrics(NamedTuple):
    """What a step was like."""

    step: int
    """Optimiser steps of SFT, global steps of GRPO; counted from 1."""
    metrics: dict[str, float]
    """By OpenRLHF's own names, `timing/…` and all; NaN and infinities as they came."""


class StepReader:
    """Finds the steps in OpenRLHF's output, given line by line; a progress bar's redrawing counts as a line.

    GRPO prints each step's metrics once, after a sample: what looks like a step without a sample since the last one is
    a sample that Ray cut, for a page or a model may write Ray's own marks (`:info_message:`).

    SFT has a progress bar over micro batches, which runs on while a step's are gathered, with the metrics of the step
    before. With `sft_micro_batches` to a step, those at a multiple of it are the step's own, one for each of its micro
    batches, the last ones shown. The bar begins at 0 where a run is resumed: `sft_steps_done` says how many were done.
    """

    def __init__(self, sft_steps_done: int = 0, sft_micro_batches: int = 1) -> None:
        self._saw_sample = False
        self._sft_done = sft_steps_done * sft_micro_batches
        self._sft_window = sft_micro_batches
        self._sft_step = 0
        self._sft_shown: list[str] = []
        self._sft_before = ""

    def read(self, line: str) -> Iterator[StepMetrics]:
        """The steps that are known to be over by this line: none, or one."""
        plain = _CONTROLS.sub("", line)
        if _SAMPLE.match(plain):
            self._saw_sample = True
        elif (found := _GRPO_STEP.fullmatch(plain)) is not None:
            if self._saw_sample:
                yield StepMetrics(int(found[1]), _numbers(_GRPO_METRIC.findall(found[2])))
            self._saw_sample = not self._saw_sample
        elif (found := _SFT_STEP.fullmatch(plain)) is not None:
            step = self._sft_step_at(*map(int, found.group(1, 2, 3)))
            if step != self._sft_step:
                yield from self.rest()
                self._sft_step, self._sft_before, self._sft_shown = step, self._last_shown(), []
            self._sft_shown.append(found[4])

    def rest(self) -> Iterator[StepMetrics]:
        """The step of an SFT run that no further line has told to be over."""
        if not self._sft_step or not self._sft_shown:
            return
        # The bar moves on before the step's own metrics are there, and is drawn once more at its end.
        begin = len(self._sft_shown) > self._sft_window and self._sft_shown[0] == self._sft_before
        own = [_numbers(_SFT_METRIC.findall(text)) for text in self._sft_shown[begin:][: self._sft_window]]
        # Each is a micro batch's part of the step's loss, times their number (sft_trainer.py, loss_mean).
        loss = fsum(metrics["gpt_loss"] for metrics in own) / len(own)
        yield StepMetrics(self._sft_step, {**own[-1], "gpt_loss": loss})
        self._sft_before, self._sft_shown = self._last_shown(), []

    def _last_shown(self) -> str:
        return self._sft_shown[-1] if self._sft_shown else self._sft_before

    def _sft_step_at(self, epoch: int, shown: int, all_: int) -> int:
        """The step whose metrics a bar shows: `shown` of `all_` micro batches of an epoch; 0 for that of no step.

        Steps go on over the end of an epoch.
        """
        resumed, skipped = divmod(self._sft_done, all_)
        micro_batches = epoch * all_ + shown + (skipped if epoch == resumed else 0)
        return 0 if micro_batches % self._sft_window else micro_batches // self._sft_window


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

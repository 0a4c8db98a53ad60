"""How metrics changed over training: plain, typed, and the same in Python and in `--json`. Shares are fractions."""

from collections.abc import Mapping, Sequence

from pydantic import BaseModel, ConfigDict

from trainer.bootstrap import Interval


class _Part(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, use_attribute_docstrings=True)


class Change(_Part):
    """One metric of one run: its mean over the first and over the last tenth of the steps that have it."""

    points: int
    """Steps that have the metric."""
    averaged: int
    """Steps in either tenth, rounded up."""
    first: float
    last: float
    difference: float
    """last − first."""
    interval: Interval | None
    """Of the difference."""
    reason: str | None
    """Why there is no interval; None where there is one."""


class RunChanges(_Part):
    """One run."""

    name: str
    file: str
    steps: int
    first_step: int
    last_step: int
    metrics: Mapping[str, Change]
    """By key of `history.jsonl`."""


class Training(_Part):
    """Several runs, and how the intervals were made."""

    runs: Sequence[RunChanges]
    resamples: int
    seed: int
    confidence: float

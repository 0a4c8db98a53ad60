"""Evaluation rollouts: read and scored by the very code of `reward-server score`, so the two cannot drift."""

from collections.abc import Iterable, Iterator
from typing import Annotated, BinaryIO, NamedTuple

from pydantic import Field

from reward_server import wire
from reward_server.decoding import pointer
from reward_server.reward.action import Action, LabelError, read_label
from reward_server.reward.score import ScoreCard
from reward_server.reward.spec import RewardSpec
from reward_server.rollout_files import BadLine, ScoredLine, score_lines
from reward_server.scoring import Scorer

MAX_STEP = 1_000_000_000


class EvaluationRollout(wire.Rollout):
    """One line: a rollout, and where in which session it stands."""

    session: Annotated[str, Field(min_length=1, max_length=512)] | None = None
    """The shopper's session; rollouts of one are resampled together."""
    step: Annotated[int, Field(ge=1, le=MAX_STEP)] | None = None
    """Which action of the session the label is, counted from 1."""
    last_action: wire.Label | None = None
    """The action before this one; by default the label of step − 1 where the file has it."""


class Observation(NamedTuple):
    """One rollout as the evaluation sees it."""

    line: int
    """Counted from 1."""
    end: int
    """Bytes of the file up to and with this line."""
    session: str | None
    group: str | None
    step: int | None
    label: Action
    last_action: Action | None
    card: ScoreCard
    """Under the spec without its certainty term."""


def without_certainty(spec: RewardSpec) -> RewardSpec:
    """The spec with certainty weight 0: that term needs a model, and no figure but the reward depends on it."""
    return spec.model_copy(update={"certainty": {"weight": 0.0}})


def observe(file: BinaryIO, spec: RewardSpec) -> Iterator[Observation | BadLine]:
    """Every line of a rollout file that is not blank, in order, scored without certainty."""
    plain = without_certainty(spec)
    return _observations(score_lines(file, Scorer(plain, None), EvaluationRollout), plain)


def _observations(items: Iterable[ScoredLine | BadLine], spec: RewardSpec) -> Iterator[Observation | BadLine]:
    for item in items:
        yield item if isinstance(item, BadLine) else _observation(item, spec)


def _observation(item: ScoredLine, spec: RewardSpec) -> Observation | BadLine:
    rollout, scored = item.rollout, item.scored
    assert isinstance(rollout, EvaluationRollout)
    last_action = None
    if rollout.last_action is not None:
        try:
            last_action = read_label(rollout.last_action, spec.action_space).action
        except LabelError as error:
            return BadLine(item.line, item.end, pointer(("last_action", *error.path)), error.reason)
    place = (rollout.session, rollout.group, rollout.step)
    return Observation(item.line, item.end, *place, scored.label, last_action, scored.card)

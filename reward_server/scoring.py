"""The one use case: a batch of rollouts -> certainties -> score cards. Service and command line both come here."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import orjson

from reward_server import wire
from reward_server.certainty.source import (
    Certainty,
    CertaintySource,
    EvidenceError,
    RationaleRequest,
    TopLogprobs,
    empty_rationale,
)
from reward_server.decoding import JsonPath
from reward_server.reward.action import Action, LabelError, read_label
from reward_server.reward.completion import Completion, Reason, parse
from reward_server.reward.score import ScoreCard, Target, prepare, score
from reward_server.reward.spec import RewardSpec

_NO_PROMPT = (
    "this server measures a rationale only after its prompt (REWARD_REQUIRE_PROMPT): send prompt or prompt_token_ids"
)


_MOST_KNOWN = 1_024
"""Labels that a scorer remembers from one batch to the next: trainers may ask for a group one rollout at a time."""
_LONGEST_KEY = 1_024
"""Bytes of the labels that it remembers."""


class ConfigurationError(ValueError):
    """A spec and a certainty source that do not go together."""


@dataclass(frozen=True, slots=True)
class Fault:
    """What makes one rollout impossible to score; never the completion's own text."""

    index: int
    path: JsonPath
    """Keys and indexes inside the rollout."""
    reason: str


class BatchError(ValueError):
    """A batch in which some rollouts cannot be scored, so none is; names those found."""

    def __init__(self, faults: Sequence[Fault]) -> None:
        super().__init__(f"{len(faults)} rollouts cannot be scored; the first: {faults[0].reason}")
        self.faults = list(faults)


class Sample(NamedTuple):
    """A rollout that needs no validation; `wire.Rollout` says what its fields are."""

    completion: str
    label: object
    prompt: str | None = None
    prompt_token_ids: None = None
    completion_token_ids: None = None
    certainty: None = None
    id: None = None
    group: None = None


Rollout = wire.Rollout | Sample
"""What is scored."""


class Scored(NamedTuple):
    """A score card with what it was scored against."""

    card: ScoreCard
    label: Action
    certainty: Certainty | None


class Scorer:
    """Scores batches under one spec with one certainty source (None for none).

    Raises ConfigurationError when the spec needs a certainty that the source cannot give.
    """

    def __init__(self, spec: RewardSpec, source: CertaintySource | None, *, require_prompt: bool = False) -> None:
        """`require_prompt` refuses a rollout whose certainty would be measured without its prompt."""
        self.spec = spec
        self.source = source
        self._require_prompt = require_prompt
        self._known: dict[bytes, Target] = {}
        if not spec.needs_certainty:
            return
        kind = spec.certainty.kind
        if source is None:
            raise ConfigurationError(
                f"spec {spec.name} weighs the rationale's certainty, and the certainty source is 'none': "
                "choose a source, or a spec whose certainty weight is 0 (shop-r1-no-rationale)"
            )
        if kind not in source.kinds:
            raise ConfigurationError(
                f"spec {spec.name} asks for {kind}, which the certainty source {source.name!r} cannot give: "
                f"{source.remedy}, or choose a spec with one of {', '.join(sorted(source.kinds))}"
            )

    @property
    def may_wait(self) -> bool:
        """Whether scoring waits for a certainty source, or is over at once."""
        return self.source is not None and self.spec.needs_certainty

    async def score(self, rollouts: Sequence[Rollout]) -> list[Scored]:
        """Score cards in the order of the rollouts.

        Raises BatchError when a single one cannot be scored, and what the certainty source raises.
        """
        if not self.may_wait:
            return self.score_at_once(rollouts)
        targets, outcomes = self._read(rollouts)
        certainties = await self._certainties(rollouts, outcomes)
        return [
            Scored(score(outcome, target, certainty and certainty.value), target.action, certainty)
            for outcome, target, certainty in zip(outcomes, targets, certainties, strict=True)
        ]

    def score_at_once(self, rollouts: Sequence[Rollout]) -> list[Scored]:
        """The same, of a scorer that waits for nothing."""
        return [
            Scored(score(outcome, target, None), target.action, None)
            for target, outcome in zip(*self._read(rollouts), strict=True)
        ]

    def _read(self, rollouts: Sequence[Rollout]) -> tuple[list[Target], list[Completion | Reason]]:
        targets = self._targets(rollouts)
        return targets, [parse(rollout.completion, self.spec) for rollout in rollouts]

    def _targets(self, rollouts: Sequence[Rollout]) -> list[Target]:
        targets, faults = [], []
        for index, rollout in enumerate(rollouts):
            key = _key(rollout.label)
            target = self._known.get(key)
            if target is None:
                try:
                    target = prepare(read_label(rollout.label, self.spec.action_space), self.spec)
                except LabelError as error:
                    faults.append(_label_fault(index, rollout.label, error))
                    continue
                if key:
                    self._known[key] = target
            targets.append(target)
        if len(self._known) > _MOST_KNOWN:
            self._known.clear()
        if faults:
            raise BatchError(faults)
        return targets

    async def _certainties(
        self, rollouts: Sequence[Rollout], outcomes: Sequence[Completion | Reason]
    ) -> list[Certainty | None]:
        assert self.source is not None
        certainties: list[Certainty | None] = [None] * len(rollouts)
        kind = self.spec.certainty.kind
        indexes, requests, faults = [], [], []
        for index, (rollout, outcome) in enumerate(zip(rollouts, outcomes, strict=True)):
            if isinstance(outcome, Reason):
                continue
            if not outcome.rationale:
                certainties[index] = empty_rationale(kind, self.source)
                continue
            request = _rationale_request(rollout)
            if self._require_prompt and not request.has_prompt and self.source.needs_prompt(request):
                faults.append(Fault(index, ("prompt",), _NO_PROMPT))
            indexes.append(index)
            requests.append(request)
        if faults:
            raise BatchError(faults)
        try:
            measured = await self.source.measure(requests, kind)
        except EvidenceError as error:
            raise BatchError(
                [Fault(indexes[fault.index], fault.path, fault.reason) for fault in error.faults]
            ) from None
        for index, certainty in zip(indexes, measured, strict=True):
            certainties[index] = certainty
        return certainties


def to_wire(rollout: Rollout, scored: Scored) -> dict[str, object]:
    """The result of one rollout as `wire.Result` has it."""
    card = scored.card
    terms = card.terms
    return {
        "id": rollout.id,
        "group": rollout.group,
        "reward": card.reward,
        "score": card.score,
        # Spelled out, which takes half of what _asdict does.
        "terms": {
            "format": terms.format,
            "certainty": terms.certainty,
            "type": terms.type,
            "attribute": terms.attribute,
            "value": terms.value,
        },
        "certainty": scored.certainty._asdict() if scored.certainty else None,
        "action": card.action.as_dict() if card.action else None,
        "type_match": card.type_match,
        "exact_match": card.exact_match,
        "reason": card.reason,
    }


def _key(label: object) -> bytes:
    """The label's JSON, by which the label of a group is read only once; empty where it has none that is short."""
    try:
        key = orjson.dumps(label)
    except orjson.JSONEncodeError:
        return b""
    return key if len(key) <= _LONGEST_KEY else b""


def _label_fault(index: int, label: object, error: LabelError) -> Fault:
    if isinstance(label, str) and error.path:
        return Fault(index, ("label",), f"in the label's JSON, {'.'.join(error.path)}: {error.reason}")
    return Fault(index, ("label", *error.path), error.reason)


def _rationale_request(rollout: Rollout) -> RationaleRequest:
    evidence = rollout.certainty
    return RationaleRequest(
        rollout.completion,
        rollout.prompt,
        rollout.prompt_token_ids,
        rollout.completion_token_ids,
        None if evidence is None else TopLogprobs(evidence.vocab_size, evidence.top_logprobs),
    )

"""The messages of the HTTP API as types, shared by service and command line.

`Rollout` is also one line of a rollout file.
"""

from collections.abc import Sequence
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field, WithJsonSchema

from reward_server.certainty.source import Kind
from reward_server.reward.completion import Reason

_ACTION_SCHEMA = {
    "type": "object",
    "required": ["type"],
    "properties": {"type": {"type": "string"}},
    "additionalProperties": True,
}
_LABEL_SCHEMA = {
    "description": 'The action, or `{"action": {…}}`, or the JSON string of either.',
    "oneOf": [
        {"title": "Action", **_ACTION_SCHEMA},
        {
            "title": "Wrapped action",
            "type": "object",
            "required": ["action"],
            "properties": {"action": _ACTION_SCHEMA},
            "additionalProperties": True,
            "not": {"required": ["type"]},
        },
        {"title": "JSON string", "type": "string", "minLength": 2},
    ],
}

Label = Annotated[Any, WithJsonSchema(_LABEL_SCHEMA)]
TokenIds = Annotated[list[Annotated[int, Field(ge=0)]], Field(fail_fast=True)]
Logprobs = Annotated[list[Annotated[float, Field(le=0, allow_inf_nan=False)]], Field(fail_fast=True)]
Texts = Annotated[list[str], Field(fail_fast=True)]


LARGEST_VOCABULARY = 10_000_000
"""Of any evidence of certainty."""


class _Message(BaseModel):
    model_config = ConfigDict(strict=True, frozen=True)


class CertaintyEvidence(_Message):
    """The policy's own top-k log-probabilities of the rationale."""

    vocab_size: Annotated[int, Field(ge=2, le=LARGEST_VOCABULARY)]
    """Size V of the vocabulary that the probabilities are over."""
    top_logprobs: Annotated[list[Logprobs], Field(fail_fast=True)]
    """One list per rationale token: its k ≥ 1 largest natural log-probabilities, before any sampling transform."""


class Rollout(_Message):
    """One completion to be scored against one label."""

    completion: str
    """The model's text, exactly as it was generated."""
    label: Label
    """The action it should have predicted."""
    id: str | None = None
    """Comes back with the result."""
    group: str | None = None
    """Rollouts of one prompt share it; comes back with the result."""
    prompt: str | None = None
    """The text before the completion, special tokens written out."""
    prompt_token_ids: TokenIds | None = None
    """Its tokens, which win over its text; an empty list is none."""
    completion_token_ids: TokenIds | None = None
    """The completion's tokens as they were sampled; what they spell has to contain the completion."""
    certainty: CertaintyEvidence | None = None
    """For the certainty source `rollout`."""


class ScoreRequest(_Message):
    """A batch of rollouts, scored under one spec or not at all."""

    rollouts: list[Rollout]


class OpenRLHFRequest(_Message):
    """What OpenRLHF posts to `--reward.remote_url`: parallel lists, usually of one sample."""

    query: Texts
    """Decoded prompt and completion, special tokens included."""
    prompts: Texts
    """The prompt alone, never cut."""
    labels: list[Label]
    """What `--data.label_key` names: the label action, in any of its forms."""


class TermsOut(BaseModel):
    """The weighted contributions; the reward is their sum."""

    format: float
    certainty: float
    type: float
    attribute: float
    value: float


class CertaintyOut(BaseModel):
    """Self-certainty of the rationale, averaged over its tokens, in nats."""

    value: float
    """What the reward counts: the exact value, or the middle of its bounds."""
    lower: float
    upper: float
    """Bounds of the exact value; equal where it is known."""
    tokens: int
    """How many tokens the rationale has."""
    kind: Kind
    source: str
    model: str | None
    """Whose certainty it is; None for the source `rollout`, where it is the policy's own."""
    revision: str | None
    """Which version of that model's weights."""
    loaded_at: str | None
    """Since when the source has used these weights, RFC 3339 in UTC."""
    context: bool
    """Whether it was measured after the prompt; false where the rollout brought none."""


class Result(BaseModel):
    """How one rollout fared."""

    id: str | None
    group: str | None
    reward: float
    score: Annotated[float, Field(ge=0, le=1)]
    """The reward without its certainty term over the largest such reward this label allows."""
    terms: TermsOut
    certainty: CertaintyOut | None
    """None where the spec gives it no weight, or the completion is invalid."""
    action: dict[str, str] | None
    """The predicted action; None for an invalid completion."""
    type_match: bool
    exact_match: bool
    reason: Reason | None
    """Why an invalid completion earned nothing."""


class SpecRef(BaseModel):
    """Which reward spec scored."""

    name: str
    digest: str


class ScoreResponse(BaseModel):
    """Rewards in the order of the request."""

    rewards: Sequence[float]
    scores: Sequence[float]
    results: Sequence[Result]
    spec: SpecRef
    server_version: str


class OpenRLHFResponse(BaseModel):
    """What OpenRLHF reads from a remote reward; lists even for one sample."""

    rewards: Sequence[float]
    scores: Sequence[float]
    extra_logs: dict[str, float]
    """Means over the request's samples; the same keys in every reply under one spec."""


class SpecSummary(SpecRef):
    """A loaded spec."""

    description: str
    needs_certainty: bool
    default: bool
    """Whether it scores where a request names none."""


class SpecList(BaseModel):
    """All loaded specs."""

    specs: Sequence[SpecSummary]
    default: str


class SpecDetail(SpecSummary):
    """One loaded spec in full."""

    spec: dict[str, Any]
    """Its canonical form: the digest is the SHA-256 of this as JSON with sorted keys."""


class CertaintyConfiguration(BaseModel):
    """Where the certainty of rationales comes from."""

    source: str
    kind: Kind | None
    """None where the default spec gives certainty no weight."""
    model: str | None
    """Whose certainty it is; None for `rollout`, and before the source has answered for the first time."""
    revision: str | None
    loaded_at: str | None
    """Since when the source has used these weights, RFC 3339 in UTC."""
    takes_rollouts: bool
    """Whether rollouts may bring their own top-k log-probabilities: all of a batch, or none."""


class Version(BaseModel):
    """Which server this is, and what scores by default."""

    server_version: str
    spec: SpecRef
    certainty: CertaintyConfiguration

"""(parsed completion, label, certainty, spec) -> score card with every term: Table 1 and Eq. 4 of the paper."""

from math import fsum
from typing import NamedTuple

from reward_server.reward.action import Action, Label
from reward_server.reward.completion import Completion, Reason
from reward_server.reward.similarity import credited_rouge_l, tokenize
from reward_server.reward.spec import RewardSpec, SimilarityRule

_new = tuple.__new__

_MOST_SEEN, _LONGEST_SEEN = 16, 128
"""Predicted texts, and their characters, that a label's field remembers: targets may be kept for long."""


class Terms(NamedTuple):
    """The weighted contributions of a reward; it is their sum."""

    format: float = 0.0
    """For a valid completion."""
    certainty: float = 0.0
    """α × self-certainty of the rationale."""
    type: float = 0.0
    """For the right action type."""
    attribute: float = 0.0
    """For fields that are filled in, once the type is right."""
    value: float = 0.0
    """For fields similar enough to the label's, and for an exact match where the spec rewards one."""


class ScoreCard(NamedTuple):
    """How one completion fared against its label."""

    reward: float
    score: float
    """The reward without its certainty term over the largest such reward the label allows, held to 0–1."""
    terms: Terms
    action: Action | None
    """The predicted action; None for an invalid completion."""
    type_match: bool
    exact_match: bool
    reason: Reason | None
    """Why an invalid completion earned nothing."""


class FieldTarget(NamedTuple):
    """One field of the label, ready to be compared with."""

    name: str
    text: str
    tokens: list[bytes]
    attribute: float
    """For a predicted field that is not empty."""
    value: float
    """The weight of the similarity, the difficulty-aware scale included."""
    seen: dict[str, float]
    """What predicted texts have earned so far: the completions of a group often say the same."""


class Target(NamedTuple):
    """A label made ready under one spec; worth keeping for every completion of a group."""

    spec: RewardSpec
    format_weight: float
    certainty_weight: float
    action: Action
    fields: tuple[FieldTarget, ...]
    type_weight: float
    exact_weight: float
    full_attribute: float
    """The attribute term of the label's own action."""
    full_value: float
    """The value term of the label's own action, an exact match's weight aside."""
    best: float
    """The largest reward this label allows, the certainty term aside."""


def prepare(label: Label, spec: RewardSpec) -> Target:
    """Tokenize a label's fields and look up its weights."""
    action = label.action
    rule = spec.actions[action.type]
    fields = tuple(
        FieldTarget(
            name,
            action.fields[name],
            tokenize(action.fields[name], spec.similarity.tokenizer),
            rule.fields[name].attribute,
            rule.fields[name].value * (spec.dars if rule.fields[name].dars else 1.0),
            {},
        )
        for name in spec.action_space[action.type]
    )
    exact_weight = _exact_weight(label, spec)
    full_attribute = sum((field.attribute for field in fields if field.text), start=0.0)
    full_value = sum((field.value for field in fields if field.tokens), start=0.0)
    filled = sum((field.attribute for field in fields), start=0.0)
    best = fsum((spec.format.weight, rule.type, filled, full_value + exact_weight))
    weights = spec.format.weight, spec.certainty.weight
    return Target(spec, *weights, action, fields, rule.type, exact_weight, full_attribute, full_value, best)


def score(outcome: Completion | Reason, target: Target, certainty: float | None) -> ScoreCard:
    """Score one completion that `parse` has read, under the spec that its target was prepared for.

    `certainty` is s(rationale) in the unit of the spec's kind (nats); None only where the spec gives it no weight or
    the completion is invalid, else ValueError: a reward that cannot be computed is never made up.
    """
    if isinstance(outcome, Reason):
        return _INVALID[outcome]
    action = outcome.action
    exact_match = False
    type_term = attribute = value = 0.0
    type_match = action.type == target.action.type
    if type_match:
        type_term = target.type_weight
        exact_match = action.matches(target.action)
        if exact_match:
            attribute = target.full_attribute
            value = target.full_value + target.exact_weight
        else:
            attribute, value = _fields_terms(action, target)
    if not exact_match and (rule := target.spec.actions.get(action.type)) is not None:
        value += rule.wrong
    format_term = target.format_weight
    reward = fsum((format_term, type_term, attribute, value))
    relative = reward / target.best if target.best else 0.0
    relative = 0.0 if relative < 0 else 1.0 if relative > 1 else relative
    certainty_term = 0.0
    if alpha := target.certainty_weight:
        if certainty is None:
            raise ValueError(f"spec {target.spec.name} needs the certainty of every valid rationale")
        certainty_term = alpha * certainty
        reward = fsum((format_term, certainty_term, type_term, attribute, value))
    # What Terms(…) and ScoreCard(…) do as well, in twice the time.
    terms = _new(Terms, (format_term, certainty_term, type_term, attribute, value))
    return _new(ScoreCard, (reward, relative, terms, action, type_match, exact_match, None))


def _fields_terms(action: Action, target: Target) -> tuple[float, float]:
    """The attribute and the value term of an action of the right type."""
    attribute = value = 0.0
    for field in target.fields:
        predicted = action.fields.get(field.name)
        if predicted:
            attribute += field.attribute
            earned = field.seen.get(predicted)
            if earned is None:
                earned = _field_value(predicted, field, target.spec.similarity)
                if len(field.seen) < _MOST_SEEN and len(predicted) <= _LONGEST_SEEN:
                    field.seen[predicted] = earned
            value += earned
    return attribute, value


def _field_value(predicted: str, field: FieldTarget, rule: SimilarityRule) -> float:
    if not field.value or not field.tokens:
        return 0.0
    similarity = credited_rouge_l(tokenize(predicted, rule.tokenizer), field.tokens, rule.threshold_fraction)
    return field.value * similarity


def _exact_weight(label: Label, spec: RewardSpec) -> float:
    rule = spec.actions[label.action.type]
    by_label = rule.exact_by_label
    if by_label is None:
        return rule.exact
    detail = label.details.get(by_label.key)
    return by_label.weights.get(detail, rule.exact) if isinstance(detail, str) else rule.exact


_INVALID = {reason: ScoreCard(0.0, 0.0, Terms(), None, False, False, reason) for reason in Reason}

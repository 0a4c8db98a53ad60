"""(parsed completion, label, certainty, spec) -> score card with every term: Table 1 and Eq. 4 of the paper."""

from math import fsum
from typing import NamedTuple

from reward_server.reward.action import Action, Label
from reward_server.reward.completion import Completion, Reason
from reward_server.reward.similarity import credited_rouge_l, tokenize
from reward_server.reward.spec import RewardSpec


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
    value: float
    """The weight of the similarity, the difficulty-aware scale included."""


class Target(NamedTuple):
    """A label made ready under one spec; worth keeping for every completion of a group."""

    action: Action
    type_weight: float
    exact_weight: float
    fields: tuple[FieldTarget, ...]
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
        )
        for name in spec.action_space[action.type]
    )
    exact_weight = _exact_weight(label, spec)
    attribute = value = 0.0
    for field in fields:
        attribute += field.attribute
        if field.tokens:
            value += field.value
    best = fsum((spec.format.weight, rule.type, attribute, value + exact_weight))
    return Target(action, rule.type, exact_weight, fields, best)


def score(outcome: Completion | Reason, target: Target, certainty: float | None, spec: RewardSpec) -> ScoreCard:
    """Score one completion that `parse` has read.

    `certainty` is s(rationale) in the unit of the spec's kind (nats); None only where the spec gives it no weight or
    the completion is invalid, else ValueError: a reward that cannot be computed is never made up.
    """
    if isinstance(outcome, Reason):
        return _INVALID[outcome]
    certainty_term = 0.0
    if alpha := spec.certainty.weight:
        if certainty is None:
            raise ValueError(f"spec {spec.name} needs the certainty of every valid rationale")
        certainty_term = alpha * certainty
    action = outcome.action
    type_match = action.type == target.action.type
    exact_match = type_match and action.matches(target.action)
    type_term = attribute = value = 0.0
    if type_match:
        similarity = spec.similarity
        type_term = target.type_weight
        for field in target.fields:
            predicted = action.fields.get(field.name)
            if predicted:
                attribute += field.attribute
            if predicted == field.text:
                if field.tokens:
                    value += field.value
            elif predicted and field.value:
                tokens = tokenize(predicted, similarity.tokenizer)
                value += field.value * credited_rouge_l(tokens, field.tokens, similarity.threshold_fraction)
    if exact_match:
        value += target.exact_weight
    elif rule := spec.actions.get(action.type):
        value += rule.wrong
    format_term = spec.format.weight
    terms = Terms(format_term, certainty_term, type_term, attribute, value)
    relative = fsum((format_term, type_term, attribute, value)) / target.best if target.best else 0.0
    return ScoreCard(fsum(terms), min(max(relative, 0.0), 1.0), terms, action, type_match, exact_match, None)


def _exact_weight(label: Label, spec: RewardSpec) -> float:
    rule = spec.actions[label.action.type]
    by_label = rule.exact_by_label
    if by_label is None:
        return rule.exact
    return by_label.weights.get(str(label.details.get(by_label.key)), rule.exact)


_INVALID = {reason: ScoreCard(0.0, 0.0, Terms(), None, False, False, reason) for reason in Reason}

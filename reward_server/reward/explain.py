"""Where every part of a reward came from, in words: what `reward-server explain` prints.

Works the reward out part by part; a test holds the parts' sum equal to what `score` gives.
"""

from typing import NamedTuple

from reward_server.reward.completion import Completion, InvalidError
from reward_server.reward.score import FieldTarget, Target
from reward_server.reward.similarity import Similarity, rouge_l, tokenize
from reward_server.reward.spec import RewardSpec


class Line(NamedTuple):
    """One part of a reward."""

    term: str
    """The term it counts under."""
    earned: float | None
    """None where it cannot be told."""
    possible: float | None
    """The most this part could earn for this label; None where there is no such bound."""
    why: str


def explain(
    outcome: Completion | InvalidError, target: Target, certainty: float | None, spec: RewardSpec
) -> list[Line]:
    """Every part of one reward with its reason, in the order of the terms. `certainty` is None when it is not known."""
    if isinstance(outcome, InvalidError):
        why = f"{outcome.reason.value}: {outcome.detail}; an invalid completion earns nothing at all"
        return [Line("format", 0.0, spec.format.weight, why)]
    action, label = outcome.action, target.action
    type_match = action.type == label.type
    lines = [
        Line("format", spec.format.weight, spec.format.weight, "a valid completion"),
        _certainty_line(outcome.rationale, certainty, spec),
        Line(
            "type",
            target.type_weight if type_match else 0.0,
            target.type_weight,
            _type_reason(action.type, target, spec),
        ),
    ]
    for field in target.fields:
        predicted = action.fields.get(field.name, "")
        if field.attribute:
            lines.append(_attribute_line(predicted, field, type_match))
        if field.value:
            lines.append(_value_line(predicted, field, type_match, spec))
    lines += _exact_lines(outcome, target, spec)
    for term in ("attribute", "value"):
        if not any(line.term == term for line in lines):
            lines.append(Line(term, 0.0, 0.0, f"nothing in a {label.type} earns it under this spec"))
    return lines


def _certainty_line(rationale: str, certainty: float | None, spec: RewardSpec) -> Line:
    rule = spec.certainty
    if not spec.needs_certainty:
        return Line("certainty", 0.0, 0.0, "this spec gives the rationale's certainty no weight")
    if not rationale:
        return Line("certainty", 0.0, None, "an empty rationale has certainty 0")
    if certainty is None:
        return Line("certainty", None, None, f"{rule.weight:g} × {rule.kind} of the rationale, which is not known here")
    return Line("certainty", rule.weight * certainty, None, f"{rule.weight:g} × {rule.kind} {certainty:g} nats")


def _type_reason(predicted: str, target: Target, spec: RewardSpec) -> str:
    if predicted == target.action.type:
        return f"{predicted!r} is the label's type"
    unknown = "" if predicted in spec.actions else ", a type this spec does not have"
    return f"{predicted!r} is not the label's type {target.action.type!r}{unknown}"


def _attribute_line(predicted: str, field: FieldTarget, type_match: bool) -> Line:
    if not type_match:
        return Line("attribute", 0.0, field.attribute, f"{field.name}: the type is wrong")
    if not predicted:
        return Line("attribute", 0.0, field.attribute, f"{field.name} is empty or missing")
    return Line("attribute", field.attribute, field.attribute, f"{field.name} is filled in")


def _value_line(predicted: str, field: FieldTarget, type_match: bool, spec: RewardSpec) -> Line:
    rule = spec.similarity
    possible = field.value if field.tokens else 0.0
    if not type_match:
        return Line("value", 0.0, possible, f"{field.name}: the type is wrong")
    if not field.tokens:
        why = f"{field.name}: the label {field.text!r} has no tokens under the tokenizer {rule.tokenizer!r}"
        return Line("value", 0.0, possible, why)
    tokens = tokenize(predicted, rule.tokenizer)
    similarity = rouge_l(tokens, field.tokens)
    passes = similarity.passes(rule.threshold_fraction)
    sign = (">" if rule.strict else "≥") if passes else ("not over" if rule.strict else "under")
    why = f"{field.name}: ROUGE-L {_fraction(similarity, tokens, field)} {sign} {rule.threshold:g}"
    return Line("value", field.value * similarity.value if passes else 0.0, possible, why)


def _fraction(similarity: Similarity, tokens: list[bytes], field: FieldTarget) -> str:
    common, predicted, label = similarity.numerator // 2, len(tokens), len(field.tokens)
    return f"2·{common}/({predicted}+{label}) = {similarity.value:.4g}"


def _exact_lines(outcome: Completion, target: Target, spec: RewardSpec) -> list[Line]:
    lines = []
    exact = outcome.action.matches(target.action)
    if target.exact_weight:
        earned = target.exact_weight if exact else 0.0
        why = "every field is the label's" if exact else "not the label's action in every field"
        lines.append(Line("value", earned, target.exact_weight, f"exact match: {why}"))
    rule = spec.actions.get(outcome.action.type)
    if rule is not None and rule.wrong and not exact:
        lines.append(Line("value", rule.wrong, 0.0, f"a {outcome.action.type} that is not the label's action"))
    return lines

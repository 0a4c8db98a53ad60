"""Whether OpenRLHF would clip what a spec's rewards tell apart."""

from math import ceil, copysign, log, sqrt
from typing import NamedTuple

from reward_server.reward.spec import RewardSpec
from reward_server.wire import LARGEST_VOCABULARY
from trainer.openrlhf.problems import FlagError
from trainer.openrlhf.recipe.flags import Read

_LARGEST_FROM_UNIFORM = 104.0
"""KL(U‖p) in float32: no softmax has a probability between 0 and 1e-45."""
_CLIP = (-10.0, 10.0)
"""OpenRLHF's default `--reward.clip_range`."""


class Span(NamedTuple):
    """The smallest and the largest reward."""

    smallest: float
    largest: float


def reward_span(spec: RewardSpec) -> Span:
    """Bounds of any reward under a spec, its certainty term included."""
    earned = [0.0]
    wrong = [0.0]
    for rule in spec.actions.values():
        exact = max([rule.exact, *(rule.exact_by_label.weights.values() if rule.exact_by_label else ())])
        fields = sum(field.attribute + field.value * (spec.dars if field.dars else 1) for field in rule.fields.values())
        earned.append(rule.type + exact + fields)
        wrong.append(rule.wrong)
    # KL(p‖U) is at most the logarithm of the vocabulary's size.
    most = _LARGEST_FROM_UNIFORM if spec.certainty.kind == "kl_from_uniform" else log(LARGEST_VOCABULARY)
    return Span(min(wrong), spec.format.weight + max(earned) + spec.certainty.weight * most)


def check_clip(flags: Read, spec: RewardSpec) -> None:
    """Raise FlagError where `--reward.clip_range` would cut what the spec tells apart.

    OpenRLHF clips what is left of a reward after its estimator has taken a baseline off (experience_maker.py:279-297,
    compute_reward in models/utils.py): `group_norm` has divided by the group's standard deviation by then, so that
    nothing exceeds (n - 1)/√n; the others have not, and rewards of a thousand become signs.
    """
    low, high = flags.pair("reward.clip_range", _CLIP)
    estimator = flags.text("algo.advantage.estimator", "gae")
    if estimator == "group_norm":
        n = flags.count("rollout.n_samples_per_prompt", 1)
        need = Span(-(n - 1) / sqrt(n), (n - 1) / sqrt(n))
        what = f"advantages of groups of {n}"
    else:
        need = reward_span(spec)
        what = f"rewards under {spec.name}"
        if estimator not in ("gae", "reinforce"):
            width = need.largest - need.smallest
            need, what = Span(-width, width), f"{what} less their baseline"
    if low > need.smallest or high < need.largest:
        raise FlagError(
            f"openrlhf.reward.clip_range: with the estimator {estimator}, OpenRLHF would clip {what} to "
            f"[{low:g}, {high:g}]: set it to [{_outward(need.smallest)}, {_outward(need.largest)}] or wider"
        )


def _outward(bound: float) -> int:
    """The whole number that is no nearer to zero."""
    return int(copysign(ceil(abs(bound)), bound))

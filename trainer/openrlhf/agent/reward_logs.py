"""A result -> the numbers OpenRLHF logs: the same names as the server's own OpenRLHF dialect gives them."""

from collections.abc import Sequence

from reward_server.wire import Result


def reward_logs(result: Result, action_types: Sequence[str]) -> dict[str, float]:
    """Every reward term and what explains it, for `extra_logs`; always the same keys, as OpenRLHF needs them.

    They appear as `train/<key>`, averaged over the rollouts of a step.
    """
    certainty = result.certainty
    predicted = None if result.action is None else result.action["type"]
    return {
        **{f"term_{name}": value for name, value in result.terms.model_dump().items()},
        "certainty_nats": certainty.value if certainty else 0.0,
        "certainty_width": certainty.upper - certainty.lower if certainty else 0.0,
        "certainty_without_context": float(certainty is not None and not certainty.context),
        "valid": float(predicted is not None),
        "type_match": float(result.type_match),
        "exact_match": float(result.exact_match),
        **{f"predicts_{name}": float(predicted == name) for name in action_types},
        "predicts_unknown_type": float(predicted is not None and predicted not in action_types),
    }

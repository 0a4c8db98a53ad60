"""Flags that OpenRLHF is right to take, but that change what a person reads in the run's files."""

from trainer.openrlhf.recipe.flags import Read


def cautions(flags: Read, *, plain: bool = False) -> list[str]:
    """What to tell before a run, a sentence each. `flags` are OpenRLHF's; `plain`, whether rewards come its own way."""
    changing = {
        "reward.stop_properly_penalty_coef": flags.flags.get("reward.stop_properly_penalty_coef") is not None,
        "reward.overlong_buffer_len": flags.flags.get("reward.overlong_buffer_len") is not None,
        "reward.normalize_enable": flags.is_on("reward.normalize_enable"),
    }
    told = [
        f"openrlhf.{name} changes rewards after they were scored: rollouts/*.jsonl hold others than are trained on"
        for name, is_set in changing.items()
        if is_set
    ]
    if flags.is_on("algo.dynamic_filtering_enable"):
        told.append(
            "openrlhf.algo.dynamic_filtering_enable drops groups: rollouts/*.jsonl hold more than is trained on, and "
            "there may be fewer steps than planned"
        )
    if plain and flags.text("algo.advantage.estimator", "gae") == "group_norm":
        told.append(
            "server.agent: with OpenRLHF's own call, a group whose rollouts all earn the same may get advantages as "
            "large as reward.clip_range (docs/reward.md); the executor prevents it"
        )
    if flags.text("eval.dataset", ""):
        told.append(
            "openrlhf.eval.dataset: rollouts/*.jsonl hold the completions of evaluations beside those of training"
        )
    return told

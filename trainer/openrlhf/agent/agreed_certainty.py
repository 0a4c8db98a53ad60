"""Whether an answer's certainty is the one that the run was started with."""

from reward_server.client import BadAnswer
from reward_server.wire import CertaintyOut
from trainer.openrlhf.agent.settings import AgentSettings


def check_certainty(certainty: CertaintyOut | None, *, is_valid: bool, settings: AgentSettings) -> None:
    """Hold an answer to whose certainty was agreed on: a server restarted with another source has the same digest.

    A valid completion has one unless the run has none. Raises BadAnswer.
    """
    if certainty is None:
        if is_valid and settings.certainty != "none":
            raise BadAnswer(f"a valid completion came back without the certainty that {settings.certainty} brings")
        return
    measured = f"{certainty.source} measured that of {certainty.model or 'the policy'}"
    if (settings.certainty == "rollout") != (certainty.source == "rollout"):
        raise BadAnswer(f"the run's certainty comes from {settings.certainty}, but {measured}")
    if settings.certainty_source not in (None, certainty.source):
        raise BadAnswer(f"the run's certainty comes from the source {settings.certainty_source}, but {measured}")
    if settings.certainty_model is not None and certainty.model != settings.certainty_model:
        raise BadAnswer(f"the run's certainty is that of {settings.certainty_model}, but {measured}")
    if not certainty.context:
        raise BadAnswer(f"{measured} without the prompt that the rollout came with")

"""A server that was restarted with another certainty source has the same digest, and is refused all the same."""

from typing import Any

import pytest

from reward_server.client import BadAnswer
from reward_server.wire import CertaintyOut
from trainer.openrlhf.agent.agreed_certainty import check_certainty
from trainer.openrlhf.agent.settings import AgentSettings


def measured(source: str, model: str | None = None, context: bool = True) -> CertaintyOut:
    known = {"value": 5.0, "lower": 5.0, "upper": 5.0, "tokens": 9, "kind": "kl_to_uniform"}
    return CertaintyOut(**known, source=source, model=model, revision=None, loaded_at=None, context=context)


def settings(**values: Any) -> AgentSettings:
    return AgentSettings(server_url="http://127.0.0.1:1", **values)


def test_what_was_agreed_on_passes() -> None:
    check_certainty(measured("rollout"), settings(certainty="rollout"))
    check_certainty(measured("vllm", "qwen"), settings(certainty="server", certainty_model="qwen"))
    check_certainty(measured("local", "any"), settings(certainty="server"))


@pytest.mark.parametrize("certainty", ["rollout", "server", "none"])
def test_an_invalid_completion_has_none_to_check(certainty: str) -> None:
    check_certainty(None, settings(certainty=certainty))


@pytest.mark.parametrize(
    ("certainty", "source"), [("rollout", "local"), ("rollout", "vllm"), ("server", "rollout"), ("none", "rollout")]
)
def test_another_source_is_refused(certainty: str, source: str) -> None:
    reason = f"the run's certainty comes from {certainty}, but {source} measured that of"
    with pytest.raises(BadAnswer, match=reason):
        check_certainty(measured(source), settings(certainty=certainty))


def test_another_model_is_refused() -> None:
    with pytest.raises(BadAnswer, match="is that of qwen, but vllm measured that of llama"):
        check_certainty(measured("vllm", "llama"), settings(certainty="server", certainty_model="qwen"))


def test_one_without_its_prompt_is_refused() -> None:
    with pytest.raises(BadAnswer, match="without the prompt"):
        check_certainty(measured("vllm", context=False), settings(certainty="server"))

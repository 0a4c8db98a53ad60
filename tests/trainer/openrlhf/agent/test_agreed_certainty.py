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


def check(measured: CertaintyOut | None, *, is_valid: bool = True, **values: Any) -> None:
    settings = AgentSettings(server_url="http://127.0.0.1:1", **values)
    check_certainty(measured, is_valid=is_valid, settings=settings)


def test_what_was_agreed_on_passes() -> None:
    check(measured("rollout"), certainty="rollout")
    check(measured("vllm", "qwen"), certainty="server", certainty_model="qwen", certainty_source="vllm")
    check(measured("local", "any"), certainty="server")


@pytest.mark.parametrize("certainty", ["rollout", "server", "none"])
def test_an_invalid_completion_has_none_to_check(certainty: str) -> None:
    check(None, is_valid=False, certainty=certainty)
    check(None, certainty="none")


@pytest.mark.parametrize("certainty", ["rollout", "server"])
def test_a_valid_completion_without_its_certainty_is_refused(certainty: str) -> None:
    with pytest.raises(BadAnswer, match=f"valid completion came back without the certainty that {certainty} brings"):
        check(None, certainty=certainty)


def test_a_server_that_measures_by_other_means_than_before_is_refused() -> None:
    with pytest.raises(BadAnswer, match="from the source vllm, but vllm-logprobs measured that of qwen"):
        check(measured("vllm-logprobs", "qwen"), certainty="server", certainty_model="qwen", certainty_source="vllm")


@pytest.mark.parametrize(
    ("certainty", "source"), [("rollout", "local"), ("rollout", "vllm"), ("server", "rollout"), ("none", "rollout")]
)
def test_another_source_is_refused(certainty: str, source: str) -> None:
    reason = f"the run's certainty comes from {certainty}, but {source} measured that of"
    with pytest.raises(BadAnswer, match=reason):
        check(measured(source), certainty=certainty)


def test_another_model_is_refused() -> None:
    with pytest.raises(BadAnswer, match="is that of qwen, but vllm measured that of llama"):
        check(measured("vllm", "llama"), certainty="server", certainty_model="qwen")


def test_one_without_its_prompt_is_refused() -> None:
    with pytest.raises(BadAnswer, match="without the prompt"):
        check(measured("vllm", context=False), certainty="server")

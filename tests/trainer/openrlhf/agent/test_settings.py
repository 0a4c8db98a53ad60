"""The agent executor's settings, as the environment gives them."""

import pytest

from trainer.openrlhf.agent.settings import AgentSettings


def test_a_key_is_not_repeated_by_what_is_missing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SHOP_R1_API_KEY", "a-secret-key")
    with pytest.raises(ValueError, match="server_url") as caught:
        AgentSettings()
    assert "a-secret-key" not in str(caught.value)

"""What the agent executor logs is what a stock OpenRLHF gets from the server."""

from collections.abc import Iterator

import pytest

from reward_server.wire import ScoreResponse
from tests.servers import Server, running_server
from trainer.openrlhf.agent.reward_logs import reward_logs

LABEL = {"type": "click", "name": "add_to_cart.buy_now"}
COMPLETIONS = [
    '{"rationale": "I want it.", "action": {"type": "click", "name": "add_to_cart.buy_now"}}',
    '{"rationale": "I have seen enough.", "action": {"type": "terminate"}}',
    '{"rationale": "Up.", "action": {"type": "scroll"}}',
    "no json",
]


@pytest.fixture(scope="module", params=["none", "local"])
def server(request: pytest.FixtureRequest) -> Iterator[Server]:
    spec = "shop-r1" if request.param == "local" else "shop-r1-no-rationale"
    with running_server("--certainty", request.param, "--spec", spec) as running:
        yield running


@pytest.mark.parametrize("completion", COMPLETIONS)
def test_names_and_values_are_those_of_the_openrlhf_dialect(server: Server, completion: str) -> None:
    stock = server.post(json={"query": ["page " + completion], "prompts": ["page "], "labels": [LABEL]}).json()
    rollout = {"completion": completion, "label": LABEL, "prompt": "page "}
    answer = ScoreResponse.model_validate(server.post(json={"rollouts": [rollout]}).json())
    logs = reward_logs(answer.results[0], ["click", "terminate", "type_and_submit"])
    assert logs == pytest.approx(stock["extra_logs"])
    assert logs.keys() == stock["extra_logs"].keys()

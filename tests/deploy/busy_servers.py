"""Two real servers that move every metric: one scores by the rollouts' own certainties, one has a vLLM and loses it."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from tests.reward_server.certainty.faulty_vllm import FaultyVllm, running_vllm
from tests.reward_server.service.support import CLICK, SEARCH, TERMINATE, batch, eventually, rollout, said
from tests.reward_server.service.vllm_support import PROMPT, is_ready, scoring_with
from tests.servers import Server, running_server

SURE = {"vocab_size": 4, "top_logprobs": [[-0.1]]}


@dataclass
class BusyServers:
    """The servers, and what keeps them busy."""

    by_rollouts: Server
    by_vllm: Server
    vllm: FaultyVllm

    def score(self) -> None:
        """Good, bad and grouped rollouts in both dialects, two specs in one run, refused requests, a lost prompt."""
        good = [rollout(CLICK, CLICK, group="same", certainty=SURE)] * 2
        mixed = [rollout(action, SEARCH, group="mixed", certainty=SURE) for action in (SEARCH, TERMINATE)]
        bad = [{"completion": text, "label": TERMINATE, "certainty": SURE} for text in ("", "x", "{}", said("click"))]
        for query in ("run=a", "run=a&spec=binary"):
            _answers(200, self.by_rollouts, f"/score?{query}", batch(*good, *mixed, *bad))
        _answers(200, self.by_vllm, "/score", batch(rollout(CLICK, CLICK, prompt=PROMPT), rollout(CLICK, CLICK)))
        openrlhf = {"query": [said(CLICK)], "prompts": [""], "labels": [CLICK]}
        _answers(200, self.by_rollouts, "/get_reward?spec=binary", openrlhf)
        _answers(422, self.by_rollouts, "/score", batch(rollout(label={})))

    def lose_vllm(self) -> None:
        """A request that cannot be measured any more."""
        self.vllm.stop()
        _answers(503, self.by_vllm, "/score", batch(rollout(prompt=PROMPT)))


@contextmanager
def busy_servers() -> Iterator[BusyServers]:
    """Both servers, ready."""
    with running_server() as by_rollouts, running_vllm() as vllm, scoring_with(vllm, "--patience", "0.5") as by_vllm:
        eventually(lambda: is_ready(by_vllm))
        yield BusyServers(by_rollouts, by_vllm, vllm)


def _answers(status: int, server: Server, path: str, message: object) -> None:
    response = server.post(path, json=message)
    assert response.status_code == status, response.text

"""Stock OpenRLHF's own executor, which tries five times, a second apart, and waits three minutes for each answer."""

import asyncio
import json
import subprocess
from collections.abc import Sequence
from typing import Any

from tests.chaos.faults import told_by
from tests.chaos.loads import count_wrong
from tests.chaos.outcome import Outcome
from tests.chaos.rollouts import Expected, rollouts
from tests.e2e.training_environment import BIN
from tests.reward_server.certainty.faulty_vllm import running_vllm
from tests.reward_server.service.support import eventually, sample
from tests.servers import Server, running_server

DRIVER = "tests/e2e/openrlhf_driver.py"


def source_gone(seconds: float, count: int) -> Outcome:
    """So many of its calls are in flight while the certainty source is gone: they wait, and none is refused."""
    outcome = Outcome(f"certainty source gone for {seconds:g} s under stock OpenRLHF", asked=count, tries=count)
    expected = rollouts(count, "shop-r1")

    async def story() -> None:
        with running_vllm() as vllm, running_server("--certainty", "vllm", "--vllm-url", vllm.url) as server:
            eventually(lambda: server.get("/readyz").status_code == 200)
            await asyncio.to_thread(vllm.stop)
            driving = asyncio.create_task(asyncio.to_thread(_drive, server, expected))
            # Invalid completions need no certainty, and are answered.
            waiting = sum(item.reward != 0 for item in expected)
            while sample(server, "shop_r1_http_requests_in_flight") < waiting:
                await asyncio.sleep(0.05)
            await asyncio.sleep(seconds)
            with running_vllm(vllm.port):
                answers = await driving
        # What it could not fetch is None.
        pairs = [(answer["reward"], item) for answer, item in zip(answers, expected, strict=True) if answer["reward"]]
        outcome.lost = count - len(pairs)
        outcome.wrong = sum(count_wrong(reward, [item]) for reward, item in pairs)

    return told_by(story, outcome)


def _drive(server: Server, expected: Sequence[Expected]) -> list[dict[str, Any]]:
    cases = [
        {"prompt": item.rollout.prompt, "label": item.rollout.label, "completion": item.rollout.completion}
        for item in expected
    ]
    message = json.dumps({"url": f"{server.url}/score", "cases": cases}).encode()
    ended = subprocess.run([BIN / "python", DRIVER], input=message, capture_output=True, timeout=600, check=True)
    answers: list[dict[str, Any]] = json.loads(ended.stdout)
    return answers

"""Our agent executor on the real OpenRLHF: what it sends, what it makes of the answer, and what it never makes up."""

import json
import subprocess
from math import log
from pathlib import Path
from typing import Any

import pytest

from reward_server.reward.spec import load_preset
from tests.e2e.training_environment import BIN, environment
from tests.servers import Server, running_server

pytestmark = pytest.mark.e2e

BUY = {"type": "click", "name": "add_to_cart.buy_now"}
BUY_NOW = '{"rationale": "It fits my budget.", "action": {"type": "click", "name": "add_to_cart.buy_now"}}'
STOP = '{"rationale": "Nothing here for me.", "action": {"type": "terminate"}}'
HALVES = [log(0.5), log(0.5)]
"""Two tokens that have all the probability: whatever the vocabulary V, KL(p‖U) is log V − log 2."""


def case(completion: str, label: object = BUY, prompt: str = "A page. What do you do next?") -> dict[str, Any]:
    return {"prompt": prompt, "label": label, "completion": f"{completion}<|im_end|>"}


def drive(
    url: str,
    *groups: list[dict[str, Any]],
    top: list[float] = HALVES,
    corrects: bool = False,
    tell_seconds: float = 30.0,
    **settings: str,
) -> tuple[list[dict[str, Any]], str]:
    """The results, and what was logged."""
    document = {"groups": groups, "top": top, "corrects": corrects, "tell_seconds": tell_seconds}
    variables = {f"SHOP_R1_{name.upper()}": value for name, value in {"server_url": url, **settings}.items()}
    done = subprocess.run(
        [BIN / "python", Path(__file__).with_name("executor_driver.py")],
        input=json.dumps(document).encode(),
        env=environment(**variables),
        capture_output=True,
        timeout=300,
        check=False,
    )
    assert done.returncode == 0, done.stderr.decode()
    results: list[dict[str, Any]] = json.loads(done.stdout)
    return results, done.stderr.decode()


def test_rollouts_bring_their_policy_s_certainty(certainty_server: Server, tmp_path: Path) -> None:
    good, bad, other = [case(BUY_NOW), case("no json")], [case(STOP)], [case(BUY_NOW, json.dumps(BUY))]
    results, _ = drive(certainty_server.url, good, bad, other, top_k="2", rollouts=str(tmp_path), run="a-run")
    certainty = 0.005 * (log(768) - log(2))
    assert [result["reward"] for result in results] == pytest.approx(
        [1001 + certainty, 0, 0.5 + certainty, 1001 + certainty], rel=1e-9
    )
    assert [result["scores"] for result in results] == pytest.approx([1, 0, 0.5 / 1001, 1])
    assert results[0]["extra_logs"]["certainty_nats"] == pytest.approx(log(768) - log(2), rel=1e-6)
    assert len({tuple(result["extra_logs"]) for result in results}) == 1, "OpenRLHF needs the same keys in every reply"
    kept = [json.loads(line) for file in tmp_path.iterdir() for line in file.read_text().splitlines()]
    assert len(kept) == 4
    assert sorted(rollout["completion"] for rollout in kept if rollout["group"].endswith("-0")) == sorted(
        each["completion"] for each in good
    )
    assert len({rollout["group"] for rollout in kept}) == 3


def test_a_group_that_agrees_is_given_a_reward_that_its_trainer_can_average(certainty_server: Server) -> None:
    results, _ = drive(certainty_server.url, [case(BUY_NOW)] * 8, top_k="2")
    (reward,) = {result["reward"] for result in results}
    assert reward == pytest.approx(1001 + 0.005 * (log(768) - log(2)), abs=2**-12)
    assert reward * 2**11 == int(reward * 2**11), "eight of them are below 2^13: float32 sums multiples of 2^-11"


def test_a_server_that_measures_is_given_what_the_policy_read_and_wrote(tmp_path: Path) -> None:
    with running_server("--certainty", "local", "--require-prompt") as server:
        (result,), _ = drive(server.url, [case(BUY_NOW)], certainty="server", rollouts=str(tmp_path))
        prompt = "<|im_start|>user\nA page. What do you do next?<|im_end|>\n<|im_start|>assistant\n"
        rollout = {"completion": f"{BUY_NOW}<|im_end|>", "label": BUY, "prompt": prompt}
        expected = server.post(json={"rollouts": [rollout]}).json()
    assert result["reward"] == pytest.approx(expected["rewards"][0], abs=1e-6)
    assert result["extra_logs"]["certainty_nats"] == pytest.approx(
        expected["results"][0]["certainty"]["value"], abs=1e-4
    )
    assert result["extra_logs"]["certainty_without_context"] == 0


def test_nothing_is_measured_for_a_spec_without_certainty(certainty_server: Server) -> None:
    settings = {"certainty": "none", "spec": "shop-r1-no-rationale"}
    (result,), _ = drive(certainty_server.url, [case(BUY_NOW)], **settings)
    assert result["reward"] == 1001.0
    assert result["extra_logs"]["term_certainty"] == 0


def test_one_processed_logprob_per_token_is_no_certainty(certainty_server: Server) -> None:
    (result,), _ = drive(certainty_server.url, [case(BUY_NOW)], corrects=True)
    assert result["error"].startswith("ValueError: algo.advantage.is_correction_level")


def test_a_server_that_is_away_is_waited_for_and_told_of_and_at_last_an_error() -> None:
    (result,), logged = drive("http://127.0.0.1:1", [case(BUY_NOW)], patience="2", tell_seconds=0.5)
    assert result["error"].startswith(
        "RewardUnavailable: the reward server at http://127.0.0.1:1/score gave no rewards"
    )
    assert "waiting for the reward server for" in logged


def test_of_several_servers_another_scores_for_one_that_is_away(certainty_server: Server) -> None:
    digest = load_preset("shop-r1").digest
    groups = [[case(BUY_NOW)] for _ in range(4)]
    results, _ = drive(f"http://127.0.0.1:1,{certainty_server.url}", *groups, digest=digest)
    certainty = 0.005 * (log(768) - log(2))
    assert [result["reward"] for result in results] == pytest.approx([1001 + certainty] * 4, rel=1e-9)


def test_a_server_that_measures_another_model_s_certainty_gives_no_reward() -> None:
    with running_server("--certainty", "local") as server:
        (result,), _ = drive(
            server.url, [case(BUY_NOW)], certainty="server", certainty_model="Qwen/Qwen2.5-3B-Instruct"
        )
    assert result["error"].startswith("BadAnswer: the run's certainty is that of Qwen/Qwen2.5-3B-Instruct, but local")


def test_another_spec_than_the_pinned_one_gives_no_reward(certainty_server: Server) -> None:
    (result,), _ = drive(certainty_server.url, [case(BUY_NOW)], digest=f"sha256:{'0' * 64}")
    assert result["error"].startswith("SpecMismatch: ")


def test_a_bad_label_is_an_error_and_no_zero(certainty_server: Server) -> None:
    (result,), _ = drive(certainty_server.url, [case(BUY_NOW, {"type": "fly"})])
    assert result["error"].startswith("RewardRefused: ")
    assert "label" in result["error"]


def test_the_key_opens_a_server_that_asks_for_one() -> None:
    with running_server("--certainty", "rollout", REWARD_API_KEYS="sesame") as server:
        (without,), _ = drive(server.url, [case(BUY_NOW)])
        (given,), logged = drive(server.url, [case(BUY_NOW)], api_key="sesame")
    assert without["error"].startswith("RewardRefused: ")
    assert given["reward"] > 1001
    assert "sesame" not in logged

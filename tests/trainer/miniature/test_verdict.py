"""The road's claims hold or not, whatever the figures' size: only their intervals count."""

from pathlib import Path
from typing import Any

import orjson
import pytest

from trainer.miniature.verdict import Claim, verdict


def run(valid: tuple[float, float, float]) -> dict[str, Any]:
    low, value, high = valid
    return {"valid": value, "intervals": {"valid": [low, high]}}


def comparison(**differences: tuple[float, float, float]) -> dict[str, Any]:
    return {
        "differences": {
            name: {"difference": value, "interval": [low, high]} for name, (low, value, high) in differences.items()
        }
    }


def claims(
    tmp_path: Path,
    sft_valid: tuple[float, float, float] = (0.97, 0.99, 1.0),
    exact: tuple[float, float, float] = (0.2, 0.25, 0.3),
    reward: tuple[float, float, float] = (10.0, 60.0, 110.0),
) -> dict[str, Claim]:
    accuracy, rewards = tmp_path / "accuracy.json", tmp_path / "reward.json"
    valid = [run((0.0, 0.0, 0.0)), run(sft_valid), run((0.97, 0.99, 1.0))]
    over_untrained = comparison(exact_accuracy=exact, type_accuracy=(0.4, 0.5, 0.6))
    accuracy.write_bytes(orjson.dumps({"runs": valid, "comparisons": [over_untrained, over_untrained]}))
    rewards.write_bytes(orjson.dumps({"runs": [], "comparisons": [comparison(mean_reward=reward)]}))
    return {claim.name: claim for claim in verdict(accuracy, rewards)}


def test_all_claims_hold_for_a_road_that_went_well(tmp_path: Path) -> None:
    found = claims(tmp_path)
    assert [claim.holds for claim in found.values()] == [True] * 5
    assert found["GRPO over SFT: mean reward"].found == "+60 [+10, +110]"
    assert found["SFT answers in valid JSON"].found == "99.0% [97.0%, 100.0%]"


@pytest.mark.parametrize("low", [0.0, -0.001])
def test_a_rise_that_may_be_chance_is_none(tmp_path: Path, low: float) -> None:
    assert not claims(tmp_path, reward=(low, 60.0, 110.0))["GRPO over SFT: mean reward"].holds
    assert not claims(tmp_path, exact=(low, 0.25, 0.3))["SFT over untrained: exact accuracy"].holds


def test_answers_are_valid_only_when_nearly_all_are_for_sure(tmp_path: Path) -> None:
    assert not claims(tmp_path, sft_valid=(0.94, 0.97, 0.99))["SFT answers in valid JSON"].holds

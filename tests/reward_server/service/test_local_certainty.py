"""A server that scores with a model in its own process: the reward's certainty term is what a textbook computes."""

import json
import re
import shlex
from collections.abc import Iterator
from math import log
from pathlib import Path
from typing import Any

import pytest

from reward_server.certainty.model_files import DEMO_MODEL
from tests.reward_server.certainty.reference import of_the_rationale
from tests.reward_server.certainty.tiny_models import LONGEST, write_model
from tests.reward_server.service.support import CLICK, TERMINATE, assert_refused, batch, rollout, said
from tests.servers import Server, running_server

ALPHA = 0.005
PROMPT = "The page shows a rice cooker for 34 dollars. What do you do next? "


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_model(tmp_path_factory.mktemp("models") / "tiny", "qwen3", seed=4)


@pytest.fixture(scope="module")
def local_server(folder: Path) -> Iterator[Server]:
    with running_server("--certainty", "local", "--certainty-model", str(folder)) as running:
        yield running


@pytest.fixture(scope="module")
def demo_server() -> Iterator[Server]:
    """What `make serve` starts."""
    with running_server("--certainty", "local") as running:
        yield running


def scored(server: Server, *rollouts: dict[str, Any], spec: str = "shop-r1") -> list[dict[str, Any]]:
    response = server.post(f"/score?spec={spec}", json=batch(*rollouts))
    assert response.status_code == 200, response.text
    return list(response.json()["results"])


def test_the_certainty_term_is_alpha_times_the_rationales_mean_certainty(folder: Path, local_server: Server) -> None:
    buying = said(CLICK, "It fits my budget, so I buy it now.")
    asked = [(said(TERMINATE), PROMPT, TERMINATE), (buying, PROMPT, CLICK), (said(TERMINATE), "", TERMINATE)]
    rollouts = [{"completion": text, "prompt": prompt, "label": label} for text, prompt, label in asked]
    *results, invalid = scored(local_server, *rollouts, {"completion": "x", "label": CLICK})
    for result, (completion, prompt, _), rest in zip(results, asked, [0.8, 1001, 0.8], strict=True):
        value, tokens = of_the_rationale(folder, prompt, completion)
        assert result["terms"]["certainty"] == pytest.approx(ALPHA * value, abs=ALPHA * 1e-4)
        assert result["reward"] == pytest.approx(rest + ALPHA * value, abs=1e-6)
        certainty = result["certainty"]
        assert (certainty["tokens"], certainty["context"]) == (tokens, bool(prompt))
        assert certainty["lower"] == certainty["value"] == certainty["upper"]
        assert (certainty["source"], certainty["model"]) == ("local", str(folder))
    assert invalid["certainty"] is None


@pytest.mark.parametrize("kind", ["kl-from-uniform", "kl-to-uniform-over-vocab"])
def test_the_specs_of_all_kinds_are_served(kind: str, folder: Path, local_server: Server) -> None:
    (result,) = scored(local_server, rollout(prompt=PROMPT), spec=f"shop-r1-{kind}")
    value, _ = of_the_rationale(folder, PROMPT, said(TERMINATE), result["certainty"]["kind"])
    assert result["certainty"]["kind"] == kind.replace("-", "_")
    assert result["certainty"]["value"] == pytest.approx(value, rel=1e-4)


def test_the_same_request_gives_the_same_bytes_whatever_was_asked_between(local_server: Server) -> None:
    request = batch(rollout(prompt=PROMPT), rollout(prompt=PROMPT, label=CLICK))
    first = local_server.post(json=request)
    scored(local_server, rollout(prompt=PROMPT * 50), rollout())
    assert local_server.post(json=request).content == first.content


def test_a_prompt_that_the_model_cannot_read_whole_is_refused_and_nothing_is_scored(local_server: Server) -> None:
    response = local_server.post(json=batch(rollout(prompt=PROMPT), rollout(prompt=PROMPT * 1_000)))
    body = assert_refused(response, 422, "bad-certainty", "/rollouts/1/prompt")
    assert str(LONGEST) in body["detail"]


def test_openrlhfs_dialect_is_measured_after_the_prompt_in_its_query(folder: Path, local_server: Server) -> None:
    completion = said(TERMINATE)
    answer = local_server.post(json={"query": [PROMPT + completion], "prompts": [PROMPT], "labels": [TERMINATE]}).json()
    value, _ = of_the_rationale(folder, PROMPT, completion)
    assert answer["rewards"] == [pytest.approx(0.8 + ALPHA * value, abs=1e-6)]


def test_the_model_is_named_in_the_banner_and_the_banners_curl_scores(folder: Path, local_server: Server) -> None:
    printed = " ".join(re.sub("[│╭╮╰╯─]", " ", local_server.banner).split())
    assert "certainty from local: exact, by" in printed
    assert folder.name in printed
    assert "demo model" not in printed
    (result,) = scored(local_server, *example(local_server)["rollouts"])
    assert result["certainty"]["context"] is True


def example(server: Server) -> dict[str, Any]:
    """The request of the banner's curl."""
    command = shlex.split(server.banner[server.banner.index("curl ") :])
    return dict(json.loads(command[command.index("-d") + 1]))


def test_the_demo_model_says_what_it_is_and_which_settings_make_it_real(demo_server: Server) -> None:
    assert "demo model" in demo_server.banner
    assert "REWARD_CERTAINTY_MODEL" in demo_server.banner
    assert re.search(r"REWARD_CERTAINTY +to vllm", demo_server.banner)
    assert max(map(len, demo_server.banner.split("Try it")[0].splitlines())) <= 80


def test_the_demo_model_scores_the_banners_example(demo_server: Server) -> None:
    (result,) = scored(demo_server, *example(demo_server)["rollouts"])
    vocab_size = json.loads((DEMO_MODEL / "config.json").read_bytes())["vocab_size"]
    assert 0 < result["certainty"]["value"] < log(vocab_size)
    assert result["reward"] == pytest.approx(1001 + ALPHA * result["certainty"]["value"])
    assert result["certainty"]["model"] == "shop-r1-demo"

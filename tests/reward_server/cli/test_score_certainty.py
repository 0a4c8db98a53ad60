"""`reward-server score --certainty …`: certainty from a model in place of the rollouts' own logprobs."""

import json
import os
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner, Result

from reward_server.cli import app
from tests.reward_server.certainty.reference import of_the_rationale
from tests.reward_server.certainty.tiny_models import write_model

PROMPT = "The page shows a rice cooker. What do you do next? "
STOP = '{"rationale": "I am done shopping.", "action": {"type": "terminate"}}'
ROLLOUT = {"completion": STOP, "label": {"type": "terminate"}, "prompt": PROMPT}
NOBODY = ("--certainty", "vllm", "--vllm-url", "http://127.0.0.1:9", "--patience", "0.5")
"""A vLLM that does not answer: nothing listens on the discard port."""
WRONG_USAGE = 2


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_model(tmp_path_factory.mktemp("models") / "tiny", "qwen2", seed=3)


@pytest.fixture
def rollouts(tmp_path: Path) -> Path:
    file = tmp_path / "rollouts.jsonl"
    file.write_text("\n".join(json.dumps(item) for item in [ROLLOUT, {**ROLLOUT, "prompt": ""}, ROLLOUT]))
    return file


@pytest.fixture(autouse=True)
def no_settings_of_our_own(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in list(os.environ):
        if name.startswith("REWARD_") or name == "FORCE_COLOR":
            monkeypatch.delenv(name)


def run(*arguments: object, **environment: str) -> Result:
    """`reward-server score …` on a wide terminal; in this process, so that torch is imported once."""
    return CliRunner().invoke(app, ["score", *map(str, arguments)], env={"COLUMNS": "300", **environment})


def results(file: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in file.read_bytes().splitlines()]


def test_a_file_is_scored_with_the_certainty_of_a_model(folder: Path, rollouts: Path, tmp_path: Path) -> None:
    out, summary = tmp_path / "out.jsonl", tmp_path / "summary.json"
    model = ("--certainty", "local", "--certainty-model", folder)
    done = run(rollouts, *model, "--out", out, "--json", summary)
    assert (done.exit_code, done.stderr) == (0, "")
    in_context, _ = of_the_rationale(folder, PROMPT, STOP)
    alone, _ = of_the_rationale(folder, "", STOP)
    certainties = [line["certainty"] for line in results(out)]
    assert [item["value"] for item in certainties] == pytest.approx([in_context, alone, in_context], abs=1e-4)
    assert [item["context"] for item in certainties] == [True, False, True]
    assert results(out)[0]["reward"] == pytest.approx(0.8 + 0.005 * in_context, abs=1e-6)
    source = json.loads(summary.read_bytes())["certainty"]
    assert (source["source"], source["kind"], source["model"]) == ("local", "kl_to_uniform", str(folder))
    assert f"certainty from local {folder} {source['revision']}" in done.stdout


def test_the_variables_of_the_server_choose_the_source_too(folder: Path, rollouts: Path, tmp_path: Path) -> None:
    environment = {"REWARD_CERTAINTY": "local", "REWARD_CERTAINTY_MODEL": str(folder)}
    done = run(rollouts, "--spec", "shop-r1-kl-from-uniform", "--out", tmp_path / "out.jsonl", **environment)
    assert done.exit_code == 0
    assert {line["certainty"]["kind"] for line in results(tmp_path / "out.jsonl")} == {"kl_from_uniform"}


def test_a_spec_without_certainty_loads_no_model(rollouts: Path) -> None:
    done = run(rollouts, "--spec", "shop-r1-no-rationale", "--certainty", "local", "--certainty-model", "missing")
    assert (done.exit_code, done.stderr) == (0, "")


def test_a_source_that_cannot_answer_ends_the_run_and_leaves_no_file(rollouts: Path, tmp_path: Path) -> None:
    done = run(rollouts, *NOBODY, "--out", tmp_path / "out.jsonl", "--json", tmp_path / "summary.json")
    assert done.exit_code == 1
    assert "127.0.0.1:9" in done.stderr
    assert "Traceback" not in done.stderr
    assert done.stdout == ""
    assert [file.name for file in tmp_path.iterdir()] == [rollouts.name]


@pytest.mark.parametrize(
    ("arguments", "named"),
    [
        (["--certainty", "local", "--certainty-model", "missing/folder/here"], "REWARD_CERTAINTY_MODEL"),
        (["--certainty", "local", "--certainty-revision", "main"], "REWARD_CERTAINTY_REVISION"),
        (["--certainty", "vllm", "--vllm-url", "http://[::"], "vllm_url: 'http://[::' is not the address of"),
        (["--certainty", "vllm-logprobs"], "REWARD_CERTAINTY_MODEL"),
        (["--certainty", "none"], "certainty source is 'none'"),
        (["--certainty", "vibes"], "certainty: Input should be 'rollout', "),
        (["--certainty", "vllm", "--patience", "0"], "patience: Input should be greater than 0"),
    ],
)
def test_a_source_that_could_never_answer_is_wrong_usage(arguments: list[str], named: str, rollouts: Path) -> None:
    done = run(rollouts, *arguments)
    assert done.exit_code == WRONG_USAGE
    assert named in done.stderr
    assert "Traceback" not in done.stderr

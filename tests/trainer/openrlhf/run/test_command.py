"""Commands: every path whole, the server pinned, and no key where anyone reads it."""

import json
import re
import shlex
import sys
from pathlib import Path
from typing import Any

import pytest
from pydantic import SecretStr

from trainer.openrlhf.agent.settings import AgentSettings
from trainer.openrlhf.recipe.recipe import read_recipe
from trainer.openrlhf.run.command import AGENT, ServerPin, Where, make_command
from trainer.openrlhf.run.folder import RunFolder

PIN = ServerPin("http://127.0.0.1:8080", "sha256:ab", ("click", "terminate"))
FOLDER = RunFolder(Path("/runs/my run"))


def value_of(argv: list[str], flag: str) -> str:
    return argv[argv.index(flag) + 1]


def made(name: str, *changes: tuple[str, Any], where: Where | None = None, resume: bool = False) -> Any:
    return make_command(read_recipe(name, changes), FOLDER, PIN, where or Where(), resume=resume)


def test_a_grpo_run_here_is_openrlhf_with_our_agent_and_a_pinned_server(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir("/")
    command = made("grpo")
    assert command.argv[:3] == [sys.executable, "-m", "openrlhf.cli.train_ppo_ray"]
    assert value_of(command.argv, "--train.agent_func_path") == str(AGENT)
    assert value_of(command.argv, "--actor.model_name_or_path") == "/runs/sft/model"
    assert value_of(command.argv, "--data.prompt_dataset") == "/data/rl.jsonl"
    assert value_of(command.argv, "--ckpt.path") == "/runs/my run/checkpoints"
    assert value_of(command.argv, "--actor.adam.lr") == "1e-07"
    assert "--ckpt.load_enable" not in command.argv
    assert command.environment == {
        "PYTHONUNBUFFERED": "1",
        "SHOP_R1_SERVER_URL": "http://127.0.0.1:8080",
        "SHOP_R1_SPEC": "shop-r1",
        "SHOP_R1_DIGEST": "sha256:ab",
        "SHOP_R1_ACTION_TYPES": "click,terminate",
        "SHOP_R1_RUN": "my run",
        "SHOP_R1_CERTAINTY": "rollout",
        "SHOP_R1_TOP_K": "20",
        "SHOP_R1_PATIENCE": "600",
        "SHOP_R1_ROLLOUTS": "/runs/my run/rollouts",
    }


def test_data_to_evaluate_on_is_read_where_the_command_was_given(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.chdir("/")
    monkeypatch.setenv("HOME", str(tmp_path))
    for said, whole in (("data/eval.jsonl", "/data/eval.jsonl"), ("~/eval.jsonl", str(tmp_path / "eval.jsonl"))):
        for name in ("sft", "grpo"):
            assert value_of(made(name, ("openrlhf.eval.dataset", said)).argv, "--eval.dataset") == whole


def test_the_model_that_the_server_measures_is_pinned_where_it_measures() -> None:
    pin = ServerPin(PIN.url, PIN.digest, PIN.action_types, "Qwen/Qwen2.5-3B")
    for certainty, expected in (("server", "Qwen/Qwen2.5-3B"), ("rollout", None)):
        recipe = read_recipe("grpo", [("server.certainty", certainty)])
        environment = make_command(recipe, FOLDER, pin).environment
        assert environment.get("SHOP_R1_CERTAINTY_MODEL") == expected
    unknown = make_command(read_recipe("grpo", [("server.certainty", "server")]), FOLDER, PIN)
    assert "SHOP_R1_CERTAINTY_MODEL" not in unknown.environment


def test_what_the_environment_says_is_what_the_agent_reads(monkeypatch: pytest.MonkeyPatch) -> None:
    changes = {
        "url": ["https://host:1", "https://host:2"],
        "spec": "opera",
        "certainty": "server",
        "top_k": 5,
        "patience": 7.5,
        "tls": {"ca_file": "/tls/ca.pem", "certificate": "/tls/run.pem", "key": "/tls/run.key"},
    }
    recipe = read_recipe("grpo", [(f"server.{key}", value) for key, value in changes.items()])
    pin = ServerPin("http://host:1", "sha256:ab", ("click", "scroll"), "Qwen/Qwen2.5-3B", "vllm")
    for name, value in make_command(recipe, FOLDER, pin, Where(api_key="hush")).environment.items():
        monkeypatch.setenv(name, value)
    assert AgentSettings().model_dump() == {
        "server_url": "https://host:1,https://host:2",
        "api_key": SecretStr("hush"),
        "spec": "opera",
        "digest": "sha256:ab",
        "run": "my run",
        "certainty": "server",
        "certainty_source": "vllm",
        "certainty_model": "Qwen/Qwen2.5-3B",
        "top_k": 5,
        "patience": 7.5,
        "tls_ca_file": Path("/tls/ca.pem"),
        "tls_certificate": Path("/tls/run.pem"),
        "tls_key": Path("/tls/run.key"),
        "rollouts": Path("/runs/my run/rollouts"),
        "action_types": "click,scroll",
    }


def test_a_hub_id_stays_one() -> None:
    assert value_of(made("grpo-no-sft").argv, "--actor.model_name_or_path") == "Qwen/Qwen2.5-3B-Instruct"


def test_a_resumed_run_loads_its_checkpoint() -> None:
    assert "--ckpt.load_enable" in made("sft", resume=True).argv


def test_on_a_cpu_the_same_module_runs_behind_the_profile() -> None:
    assert made("grpo-cpu-smoke").argv[1:4] == ["-m", "trainer.openrlhf.cpu", "openrlhf.cli.train_ppo_ray"]
    assert made("sft-cpu-smoke").argv[1:4] == ["-m", "trainer.openrlhf.cpu", "openrlhf.cli.train_sft"]


def test_sft_runs_one_process_a_gpu() -> None:
    argv = made("sft").argv
    assert Path(argv[0]).name == "torchrun"
    assert argv[1:6] == ["--standalone", "--nproc-per-node", "8", "-m", "openrlhf.cli.train_sft"]
    assert "--data.multiturn" in argv


def test_sft_on_two_nodes_says_how_they_meet() -> None:
    argv = made("sft", ("nodes", 2), where=Where(master="node-0:29500", node_rank=1)).argv
    assert argv[1:9] == [
        "--nnodes",
        "2",
        "--node-rank",
        "1",
        "--master-addr",
        "node-0",
        "--master-port",
        "29500",
    ]
    assert "HOST" in made("sft", ("nodes", 2)).argv


def test_programs_of_an_environment_that_is_not_activated_are_found(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr("sys.executable", str(tmp_path / "python"))
    on_cluster = Where(ray="http://head:8265")
    assert made("sft").argv[0] == "torchrun"
    assert (made("grpo", where=on_cluster).argv[0], made("grpo", where=on_cluster).stop[0]) == ("ray", "ray")
    for name in ("ray", "torchrun"):
        (tmp_path / name).touch()
    ray = str(tmp_path / "ray")
    assert made("sft").argv[0] == str(tmp_path / "torchrun")
    assert (made("grpo", where=on_cluster).argv[0], made("grpo", where=on_cluster).stop[0]) == (ray, ray)


def test_a_ray_cluster_gets_the_environment_without_the_key() -> None:
    command = made("grpo-2-nodes", where=Where(ray="http://head:8265", api_key="hush"))
    assert Path(command.argv[0]).name == "ray"
    assert command.argv[1:5] == ["job", "submit", "--address", "http://head:8265"]
    variables = json.loads(value_of(command.argv, "--runtime-env-json"))["env_vars"]
    assert (variables["SHOP_R1_DIGEST"], variables["PYTHONUNBUFFERED"]) == ("sha256:ab", "1")
    start = command.argv.index("--")
    assert command.argv[start + 1 : start + 4] == ["python", "-m", "openrlhf.cli.train_ppo_ray"]
    assert "hush" not in " ".join([*command.argv, *command.environment.values(), command.shell()])


def test_a_job_has_an_id_by_which_it_is_stopped() -> None:
    first, second = (made("grpo-2-nodes", where=Where(ray="http://head:8265")) for _ in range(2))
    job = value_of(first.argv, "--submission-id")
    assert re.fullmatch(r"my-run-[0-9a-f]{8}", job)
    assert (first.ray_job.address, first.ray_job.id) == ("http://head:8265", job)
    assert Path(first.stop[0]).name == "ray"
    assert first.stop[1:] == ["job", "stop", "--address", "http://head:8265", job]
    assert first.argv.index("--submission-id") < first.argv.index("--")
    assert second.ray_job.id != job
    assert (made("grpo").ray_job, made("grpo").stop) == (None, [])


@pytest.mark.parametrize(
    ("name", "expected"),
    [("--a/../b", "a-b-"), ("été", "t-"), ("…", "run-"), ("x" * 300, f"{'x' * 64}-")],
)
def test_any_run_s_name_makes_an_id_that_ray_takes(name: str, expected: str) -> None:
    folder, where = RunFolder(Path("/runs") / name.replace("/", " ")), Where(ray="http://head:8265")
    job = make_command(read_recipe("grpo"), folder, PIN, where).ray_job
    assert job is not None
    assert job.id[:-8] == expected


def test_the_key_is_passed_on_and_never_shown() -> None:
    command = made("grpo", where=Where(api_key="hush"))
    assert command.environment["SHOP_R1_API_KEY"] == "hush"
    assert "SHOP_R1_API_KEY=…" in command.shell()
    assert "hush" not in command.shell() + repr(command) + repr(Where(api_key="hush")) + str(command.argv)
    assert "SHOP_R1_API_KEY" not in command.shown_environment()


def test_a_shell_reads_back_the_very_same_command() -> None:
    command = made("grpo", ("openrlhf.reward.clip_range", [-10, 10]), ("data", "my data/it's.jsonl"))
    words = shlex.split(command.shell().replace("\\\n", " "))
    assert words[len(command.environment) :] == command.argv
    assert dict(word.split("=", 1) for word in words[: len(command.environment)]) == command.environment


def test_openrlhf_s_own_call_has_all_in_its_url() -> None:
    command = made("grpo-no-rationale", ("server.agent", "plain"), ("server.url", "http://host:1/score"))
    url = "http://host:1/score?spec=shop-r1-no-rationale&digest=sha256:ab&run=my+run"
    assert value_of(command.argv, "--reward.remote_url") == url
    both = made(
        "grpo-no-rationale", ("server.agent", "plain"), ("server.url", ["http://host:1/score", "http://host:1/"])
    )
    assert value_of(both.argv, "--reward.remote_url") == f"{url},{url}"
    assert command.environment == {"PYTHONUNBUFFERED": "1"}
    assert "--train.agent_func_path" not in command.argv


def test_weights_and_biases_is_switched_on_without_its_key() -> None:
    assert value_of(made("grpo", ("wandb", True)).argv, "--logger.wandb.key") == "from-WANDB_API_KEY"
    assert "--logger.wandb.key" not in made("grpo").argv

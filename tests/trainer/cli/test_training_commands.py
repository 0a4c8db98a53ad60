"""`shop-r1 sft`, `shop-r1 grpo` and `shop-r1 recipes`, as a user runs them where OpenRLHF need not be installed."""

import importlib.util
import json
import shlex
from pathlib import Path

import pytest

from reward_server.reward.spec import load_preset
from tests.servers import Server, running_server
from tests.trainer.cli.commands import BAD_INPUT, WRONG_USAGE, run
from trainer.openrlhf.recipe.recipe import recipe_names
from trainer.openrlhf.recipe.yaml_text import load_yaml

NOWHERE = ("--server", "http://127.0.0.1:1")


@pytest.mark.parametrize("command", ["sft", "grpo", "recipes"])
def test_each_command_has_help_with_an_example(command: str) -> None:
    done = run(command, "--help", COLUMNS="200")
    assert done.returncode == 0
    assert f"Example: shop-r1 {command} " in done.stdout


def test_recipes_are_listed_in_80_columns() -> None:
    done = run("recipes")
    assert done.returncode == 0
    assert [name for name in recipe_names() if f" {name} " not in done.stdout] == []
    assert max(map(len, done.stdout.splitlines())) <= 80


def test_a_recipe_is_shown_with_all_it_extends(tmp_path: Path) -> None:
    done = run("recipes", "no-rationale", "--json", tmp_path / "recipe.json")
    shown = load_yaml(done.stdout)
    assert (shown["server"]["certainty"], shown["openrlhf"]["actor"]["adam"]["lr"]) == ("none", 1e-7)
    assert json.loads((tmp_path / "recipe.json").read_text()) == shown


def test_a_dry_run_prints_a_command_that_a_shell_can_run(tmp_path: Path) -> None:
    done = run("grpo", "3b", "--dry-run", *NOWHERE, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    words = shlex.split(done.stdout.replace("\\\n", " "))
    assert "openrlhf.cli.train_ppo_ray" in words
    assert words[words.index("--actor.model_name_or_path") + 1] == str(tmp_path / "runs/sft-3b/model")
    assert list(tmp_path.iterdir()) == []


def test_a_dry_run_says_what_it_could_not_check(tmp_path: Path) -> None:
    told = run("grpo", "3b", "--dry-run", *NOWHERE, cwd=tmp_path).stderr
    for expected in ("http://127.0.0.1:1 cannot be reached", "model: runs/sft-3b/model is", "data: data/rl.jsonl: No"):
        assert f"a run would stop now: {expected}" in told
    assert "digest not pinned: SHOP_R1_DIGEST and SHOP_R1_ACTION_TYPES" in told
    if importlib.util.find_spec("openrlhf") is None:
        assert "not checked: OpenRLHF is not installed" in told


def test_a_dry_run_that_no_run_would_follow_says_so(tmp_path: Path) -> None:
    done = run("grpo", "2-nodes", "--dry-run", *NOWHERE, cwd=tmp_path)
    assert done.returncode == 0
    assert "a run would stop now: nodes: 2 nodes need a Ray cluster: name it with --ray" in done.stderr
    assert "PYTHONUNBUFFERED=1 " in done.stdout
    far = run("grpo", "2-nodes", "--dry-run", *NOWHERE, "--ray", "http://head:8265", cwd=tmp_path)
    assert "a run would stop now: server.url: http://127.0.0.1:1 is this machine alone" in far.stderr
    assert "--submission-id grpo-2-nodes-" in far.stdout


def test_a_short_name_that_two_recipes_share_means_the_one_that_help_says() -> None:
    assert "3b means grpo-3b" in " ".join(run("recipes", "--help", COLUMNS="200").stdout.split())
    assert "trainer: grpo" in run("recipes", "3b").stdout


def test_a_dry_run_pins_the_spec_of_a_server_that_is_there(certainty_server: Server, tmp_path: Path) -> None:
    done = run("grpo", "no-dars", "--dry-run", "--server", certainty_server.url, cwd=tmp_path)
    assert f"SHOP_R1_DIGEST={load_preset('shop-r1-no-dars').digest}" in done.stdout
    assert "SHOP_R1_ACTION_TYPES=click,terminate,type_and_submit" in done.stdout


def test_several_servers_are_named_one_by_one(certainty_server: Server, tmp_path: Path) -> None:
    twice = ("--server", certainty_server.url, "--server", f"{certainty_server.url}/")
    done = run("grpo", "no-dars", "--dry-run", *twice, cwd=tmp_path)
    assert f"SHOP_R1_SERVER_URL={certainty_server.url},{certainty_server.url}/" in done.stdout
    assert f"SHOP_R1_DIGEST={load_preset('shop-r1-no-dars').digest}" in done.stdout


def test_a_key_is_used_and_never_printed(tmp_path: Path) -> None:
    with running_server("--api-keys", "hush-hush") as server:
        done = run("grpo", "--dry-run", "--server", server.url, cwd=tmp_path, SHOP_R1_API_KEY="hush-hush")
    assert "SHOP_R1_DIGEST=sha256:" in done.stdout
    assert "SHOP_R1_API_KEY=…" in done.stdout
    assert "hush-hush" not in done.stdout + done.stderr


def test_openrlhf_s_own_call_carries_no_key(tmp_path: Path) -> None:
    plain = ("--set", "server.agent=plain", "--set", "server.certainty=none", "--spec", "binary")
    done = run("grpo", "--dry-run", *NOWHERE, *plain, cwd=tmp_path, SHOP_R1_API_KEY="hush-hush")
    assert "can carry a key only in its URL" in done.stderr
    assert "hush-hush" not in done.stdout + done.stderr


def test_options_and_set_change_the_recipe(tmp_path: Path) -> None:
    changes = ("--model", "Qwen/Qwen3-4B", "--out", "elsewhere", "--set", "openrlhf.algo.kl.init_coef=1e-2")
    done = run("grpo", "--dry-run", *NOWHERE, *changes, "--set", "openrlhf.ckpt.save_hf=false", cwd=tmp_path)
    assert "--actor.model_name_or_path Qwen/Qwen3-4B" in done.stdout
    assert f"--ckpt.path {tmp_path}/elsewhere/checkpoints" in done.stdout
    assert "--algo.kl.init_coef 0.01" in done.stdout
    assert "--ckpt.save_hf" not in done.stdout


def test_a_text_that_an_option_gives_stays_a_text(tmp_path: Path) -> None:
    assert "--actor.model_name_or_path 12" in run("grpo", "--dry-run", *NOWHERE, "--model", "12", cwd=tmp_path).stdout


@pytest.mark.parametrize(
    ("arguments", "status", "expected"),
    [
        (("grpo", "nope"), WRONG_USAGE, "no recipe 'nope'"),
        (("recipes", "nope"), WRONG_USAGE, "no recipe 'nope'"),
        (("grpo", "--set", "nodes"), WRONG_USAGE, "is not KEY=VALUE"),
        (("grpo", "--set", "=1"), WRONG_USAGE, "is not KEY=VALUE"),
        (("grpo", "--set", "extends=sft"), WRONG_USAGE, "is not KEY=VALUE"),
        (("grpo", "--set", "nodes=[1"), WRONG_USAGE, "not YAML"),
        (("grpo", "--resume", "--overwrite"), WRONG_USAGE, "either go on"),
        (("sft", "--master", "node-0"), WRONG_USAGE, "HOST:PORT"),
        (("grpo", "sft"), BAD_INPUT, "run it with `shop-r1 sft`"),
        (("grpo", "gone.yaml"), BAD_INPUT, "gone.yaml: No such file"),
        (("grpo", "--set", "lr=1"), BAD_INPUT, "lr: no such key; there are description"),
        (("grpo", "--dry-run", "--set", "openrlhf.train.batch_size=63"), BAD_INPUT, "63 is no multiple of 2"),
        (("grpo", "--dry-run", "--set", "openrlhf.ckpt.path=x"), BAD_INPUT, "set it by out"),
    ],
)
def test_what_is_wrong_is_told_in_one_sentence(
    arguments: tuple[str, ...], status: int, expected: str, tmp_path: Path
) -> None:
    done = run(*arguments, cwd=tmp_path, COLUMNS="300")
    assert done.returncode == status
    assert expected in done.stderr
    assert done.stdout == ""
    assert "Traceback" not in done.stderr


def test_escapes_in_a_recipe_do_nothing_to_the_terminal(tmp_path: Path) -> None:
    (tmp_path / "mine.yaml").write_text('extends: grpo\n"\\e[31mred": 1\n')
    done = run("grpo", "mine.yaml", cwd=tmp_path)
    assert done.returncode == BAD_INPUT
    assert "\x1b" not in done.stderr


@pytest.mark.skipif(importlib.util.find_spec("openrlhf") is not None, reason="OpenRLHF is installed here")
def test_without_openrlhf_nothing_is_started(tmp_path: Path) -> None:
    done = run("sft", cwd=tmp_path)
    assert done.returncode == BAD_INPUT
    assert "OpenRLHF is not installed here: docs/train.md says how" in done.stderr
    assert "make .venv-train/.installed" in run("sft", "cpu-smoke", cwd=tmp_path).stderr
    assert list(tmp_path.iterdir()) == []

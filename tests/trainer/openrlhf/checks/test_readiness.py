"""The start of a run; the checks in a row are in test_run_checks.py, and in tests/e2e with the real OpenRLHF."""

import argparse
import json
from pathlib import Path

import pytest

from tests.trainer.openrlhf.support import saved
from tests.trainer.web_server import web_server
from trainer.openrlhf.checks.readiness import Start, check_everything, read_flags, sketch
from trainer.openrlhf.problems import EnvironmentProblem, FlagError, FolderError
from trainer.openrlhf.recipe.flags import Read
from trainer.openrlhf.recipe.recipe import read_recipe
from trainer.openrlhf.run.command import Where, arguments
from trainer.openrlhf.run.folder import Manifest, RayJob, check_new


def start(*changes: tuple[str, object], node_rank: int | None = None) -> Start:
    return Start("sft", read_recipe("sft", changes), Where(master="node-0:1", node_rank=node_rank))


def grpo(*changes: tuple[str, object], name: str = "grpo", where: Where | None = None, resume: bool = False) -> Start:
    nowhere = ("server.url", "http://127.0.0.1:1")
    return Start(name, read_recipe(name, [nowhere, *changes]), where or Where(), resume=resume)


def test_a_run_s_folder_is_whole_whatever_folder_it_is_read_in(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.chdir(tmp_path)
    assert start().folder.path == tmp_path / "runs" / "sft"


def test_a_second_node_does_not_fill_the_folder_that_the_first_is_about_to_make(tmp_path: Path) -> None:
    first, second = (start(("out", str(tmp_path / "run")), node_rank=rank) for rank in (0, 1))
    second.own_folder.path.mkdir()
    (second.own_folder.path / "log.txt").write_text("waiting")
    check_new(first.own_folder, overwrite=False)
    assert first.own_folder == first.folder == second.folder != second.own_folder


def test_a_recipe_that_can_never_run_has_no_command() -> None:
    with pytest.raises(FlagError, match="63 is no multiple"):
        sketch(start(("openrlhf.train.batch_size", 63)))


@pytest.mark.parametrize("name", ["été", "run…", " run", "run "])
def test_a_name_that_no_header_carries_is_refused_before_the_engine_sees_it(name: str, tmp_path: Path) -> None:
    with pytest.raises(FolderError, match="out: the run's name"):
        sketch(grpo(("out", str(tmp_path / name))))


def test_a_name_that_is_not_sent_in_a_header_may_be_any(tmp_path: Path) -> None:
    sketch(start(("out", str(tmp_path / "été"))))
    plain = (("server.agent", "plain"), ("server.certainty", "none"), ("server.spec", "binary"))
    sketch(grpo(("out", str(tmp_path / "été")), *plain))
    sketch(grpo(("out", str(tmp_path / "my run"))))


def test_a_command_that_a_shell_would_change_on_its_way_is_refused() -> None:
    sketch(grpo(("data", "a&b.jsonl")))
    with pytest.raises(FlagError, match="data: "):
        sketch(grpo(("data", "a&b.jsonl"), where=Where(ray="http://head:8265")))


def test_a_sketch_says_what_a_run_would_do_otherwise(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("WANDB_API_KEY", raising=False)
    monkeypatch.setenv("RAY_ADDRESS", "10.0.0.1:6379")
    doubts = sketch(grpo(("wandb", True), name="grpo-2-nodes")).doubts
    for expected in ("wandb: set", "nodes: 2 nodes need", "RAY_ADDRESS is set", "http://127.0.0.1:1 cannot be reached"):
        assert any(doubt.startswith(f"a run would stop now: {expected}") for doubt in doubts)
    assert any(doubt.startswith("digest not pinned: SHOP_R1_DIGEST and SHOP_R1_ACTION_TYPES") for doubt in doubts)
    submitted = sketch(grpo(name="grpo-2-nodes", where=Where(ray="http://head:8265"))).doubts
    assert any("server.url: http://127.0.0.1:1 is this machine alone" in doubt for doubt in submitted)


def test_a_run_does_not_go_on_beside_its_earlier_job(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for name in ("RAY_ADDRESS", "WANDB_API_KEY"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr("trainer.openrlhf.checks.readiness.installed_version", lambda: "0.11.2")
    monkeypatch.setattr("trainer.openrlhf.checks.readiness.read_flags", lambda start: (Read(start.recipe.flags), []))
    monkeypatch.setattr("trainer.openrlhf.checks.machine._check_libraries", lambda *_: None)
    monkeypatch.setattr("trainer.openrlhf.checks.machine._check_gpus", lambda *_: None)
    again = grpo(("out", str(tmp_path / "run")), resume=True)
    body = json.dumps({"status": "RUNNING"}).encode()
    with web_server({"/api/jobs/run-1": (200, body)}) as url:
        again.folder.write(
            Manifest(
                recipe_name="grpo",
                recipe=again.recipe.as_dict(),
                argv=["ray"],
                environment={},
                server=None,
                digest=None,
                versions={"openrlhf": "0.11.2"},
                started="2026-01-01T00:00:00+00:00",
                inputs={},
                ray_job=RayJob(address=url, id="run-1"),
            )
        )
        saved(again.folder)
        with pytest.raises(EnvironmentProblem, match="Ray job run-1 is still RUNNING"):
            check_everything(again, lambda _size: lambda _done: None)


def test_a_sketch_tells_which_flags_change_rewards(tmp_path: Path) -> None:
    flag = "openrlhf.reward.stop_properly_penalty_coef"
    assert any(doubt.startswith(f"{flag} changes rewards") for doubt in sketch(grpo((flag, 0.0))).doubts)
    missing = tmp_path / "gone.jsonl"
    told = sketch(grpo(("openrlhf.eval.dataset", str(missing)))).doubts
    assert f"a run would stop now: openrlhf.eval.dataset: {missing}: No such file or directory" in told


def test_flags_that_hide_in_values_do_not_pass_even_where_the_recipe_let_them(monkeypatch: pytest.MonkeyPatch) -> None:
    started = start()
    vars(started.recipe)["flags"] = {"adam.betas": [0.9, 0.95, "--ckpt.path=/evil"]}
    parser = argparse.ArgumentParser()
    for flag in arguments(started.recipe, started.folder, None):
        parser.add_argument(flag[0], nargs="*")
    monkeypatch.setattr("trainer.openrlhf.checks.readiness.check_names", lambda *_: None)
    monkeypatch.setattr("trainer.openrlhf.checks.readiness.parser_of", lambda _: parser)
    with pytest.raises(FlagError, match="which follows from out"):
        read_flags(started)

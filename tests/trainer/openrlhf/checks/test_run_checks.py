"""All checks of a run in a row, with a real server, model and data; OpenRLHF's own parser is left out."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from reward_server.certainty.model_files import DEMO_MODEL
from tests.servers import Server, running_server
from tests.trainer.openrlhf.support import RL, SFT, saved
from trainer.openrlhf.checks.readiness import Ready, Start, check_everything
from trainer.openrlhf.problems import FolderError, InputError
from trainer.openrlhf.recipe.flags import Read
from trainer.openrlhf.recipe.recipe import read_recipe
from trainer.openrlhf.run.command import Where

Check = Callable[..., Ready]


def write(file: Path, row: dict[str, Any], rows: int = 16) -> None:
    file.write_text(f"{json.dumps(row)}\n" * rows)


@pytest.fixture
def check(monkeypatch: pytest.MonkeyPatch, certainty_server: Server, tmp_path: Path) -> Check:
    """Checks a GRPO run in a folder of its own; takes `resume`, `overwrite` and changes to its recipe."""
    monkeypatch.delenv("RAY_ADDRESS", raising=False)
    monkeypatch.setattr("trainer.openrlhf.checks.readiness.installed_version", lambda: "0.11.2")
    monkeypatch.setattr("trainer.openrlhf.checks.readiness.read_flags", lambda start: (Read(start.recipe.flags), []))
    monkeypatch.setattr("trainer.openrlhf.checks.machine._check_libraries", lambda *_: None)
    monkeypatch.chdir(tmp_path)
    shutil.copytree(DEMO_MODEL, "model")
    write(Path("rl.jsonl"), RL)

    def run(*changes: tuple[str, Any], resume: bool = False, overwrite: bool = False) -> Ready:
        own = {"model": "./model", "data": "rl.jsonl", "out": "run", "server.url": certainty_server.url}
        recipe = read_recipe("grpo-cpu-smoke", [*own.items(), *changes])
        start = Start("mine", recipe, Where(), resume, overwrite)
        ready = check_everything(start, lambda _size: lambda _done: None)
        start.folder.write(ready.manifest)
        if not (start.folder.checkpoints / "_actor").exists():
            saved(start.folder)
        return ready

    return run


def edit_manifest(**changes: Any) -> None:
    file = Path("run/run.json")
    manifest = json.loads(file.read_text())
    for key, change in changes.items():
        manifest[key] |= change
    file.write_text(json.dumps(manifest))


def test_a_run_that_nothing_changed_goes_on(check: Check) -> None:
    first = check()
    assert check(resume=True).manifest.inputs == first.manifest.inputs
    assert first.manifest.inputs.keys() == {"data", "model"}


def test_what_is_trained_on_is_not_overwritten(check: Check) -> None:
    check()
    shutil.copytree("model", "run/model")
    shutil.copy("rl.jsonl", "run/rollouts.jsonl")
    Path("run/rollouts").mkdir()
    shutil.copy("rl.jsonl", "run/rollouts/rl.jsonl")
    for key, name in (
        ("model", "run/model"),
        ("data", "run/rollouts/rl.jsonl"),
        ("openrlhf.eval.dataset", "run/rollouts/rl.jsonl"),
    ):
        with pytest.raises(FolderError, match=rf"^{key}: .* --overwrite would remove it"):
            check((key, name), overwrite=True)
    check(("data", "run/rollouts.jsonl"), overwrite=True)


def test_a_run_does_not_go_into_its_model_s_folder(check: Check) -> None:
    with pytest.raises(FolderError, match="is the folder of the model"):
        check(("out", "model/run"))


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({"server": {"certainty_source": "local"}}, "certainty from the source local, and the server's is rollout"),
        ({"versions": {"openrlhf": "0.11.1"}}, "made by OpenRLHF 0.11.1, and 0.11.2"),
        ({"inputs": {"data": "sha256:00"}}, "another data"),
        ({"inputs": {"model": "sha256:00"}}, "another model"),
    ],
)
def test_a_run_does_not_go_on_with_what_is_another(changes: dict[str, Any], expected: str, check: Check) -> None:
    check()
    edit_manifest(**changes)
    with pytest.raises(FolderError, match=expected):
        check(resume=True)


def test_another_version_of_ours_will_do(check: Check) -> None:
    check()
    edit_manifest(versions={"shop_r1": "0.0.1"})
    check(resume=True)


def test_the_model_that_the_server_measures_is_pinned_and_written_down(check: Check) -> None:
    with running_server("--certainty", "local") as local:
        ready = check(("server.url", local.url), ("server.certainty", "server"))
    assert ready.server is not None
    model = ready.server.certainty_model
    assert model is not None
    assert ready.command.environment["SHOP_R1_CERTAINTY_MODEL"] == model
    assert ready.manifest.server is not None
    assert ready.manifest.server["certainty_model"] == model


def test_a_history_that_is_none_is_told_before_anything_starts(check: Check) -> None:
    check()
    Path("run/history.jsonl").write_text("[]\n")
    with pytest.raises(FolderError, match=r"history\.jsonl:1"):
        check(resume=True)


def test_data_to_evaluate_on_is_checked_like_data_to_train_on(check: Check) -> None:
    key = "openrlhf.eval.dataset"
    write(Path("eval.jsonl"), RL, rows=1)
    assert check((key, "eval.jsonl")).plan.rows == 16
    write(Path("eval.jsonl"), SFT)
    with pytest.raises(InputError, match=rf"^{key}: .*a row of SFT data"):
        check((key, "eval.jsonl"), overwrite=True)
    with pytest.raises(InputError, match=rf"^{key}: .*No such file"):
        check((key, "~/eval.jsonl"), overwrite=True)


def test_flags_that_change_rewards_are_told_before_the_run(check: Check) -> None:
    (note,) = check(("openrlhf.reward.overlong_buffer_len", 8.0)).notes
    assert note.startswith("openrlhf.reward.overlong_buffer_len changes rewards")

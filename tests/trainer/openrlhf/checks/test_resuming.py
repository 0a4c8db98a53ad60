"""A run goes on with the same OpenRLHF, the same certainty and a history that can be read, or not at all."""

from pathlib import Path

import pytest

from reward_server.reward.spec import load_preset
from trainer.openrlhf.checks.resuming import check_certainty, check_history, check_version
from trainer.openrlhf.checks.server import RunServer
from trainer.openrlhf.problems import FolderError
from trainer.openrlhf.run.folder import Manifest, RunFolder
from trainer.preflight import ServerFacts

FOLDER = RunFolder(Path("/runs/grpo"))
SPEC = load_preset("shop-r1")


def server(source: str, model: str | None) -> RunServer:
    return RunServer(ServerFacts("http://127.0.0.1:8080", "1", SPEC.name, SPEC.digest, source), SPEC, model)


def manifest(source: str = "local", model: str | None = None) -> Manifest:
    found = server(source, model)
    return Manifest(
        recipe_name="grpo",
        recipe={},
        argv=[],
        environment={},
        server={**found.facts._asdict(), "certainty_model": model},
        digest=SPEC.digest,
        versions={"shop_r1": "0.1", "openrlhf": "0.11.2"},
        started="2026-01-01T00:00:00+00:00",
        inputs={},
    )


def test_another_openrlhf_is_refused_with_both_versions() -> None:
    check_version(FOLDER, manifest(), "0.11.2")
    for other in ("0.12.0", None):
        with pytest.raises(FolderError, match=rf"OpenRLHF 0\.11\.2, and {other} is installed"):
            check_version(FOLDER, manifest(), other)


@pytest.mark.parametrize(
    ("before", "now", "named"),
    [
        (("local", "a"), ("vllm", "a"), ("local", "vllm")),
        (("local", "a"), ("local", "b"), ("a", "b")),
        (("rollout", None), ("local", None), ("rollout", "local")),
    ],
)
def test_another_certainty_is_refused_with_both(
    before: tuple[str, str | None], now: tuple[str, str | None], named: tuple[str, str]
) -> None:
    with pytest.raises(FolderError) as caught:
        check_certainty(FOLDER, manifest(*before), server(*now))
    assert [name for name in named if f" {name}" not in str(caught.value)] == []


def test_a_server_that_has_not_measured_yet_is_held_to_the_run_s_model() -> None:
    assert check_certainty(FOLDER, manifest("vllm", "a"), server("vllm", None)).certainty_model == "a"
    assert check_certainty(FOLDER, manifest("vllm", None), server("vllm", "a")).certainty_model == "a"
    assert check_certainty(FOLDER, manifest("vllm", "a"), server("vllm", "a")) == server("vllm", "a")


@pytest.mark.parametrize("line", ["[]", "{}", "{", "nonsense", '{"step":"1"}', '{"step":true}', '{"step":-1}', "7", ""])
def test_a_line_that_is_no_step_is_named(line: str, tmp_path: Path) -> None:
    history = tmp_path / "history.jsonl"
    history.write_text(f'{{"step":1,"reward":0.5}}\n{line}\n{{"step":3}}\n')
    with pytest.raises(FolderError, match=r"history\.jsonl:2: no object with a step"):
        check_history(history)


def test_a_good_history_none_and_half_a_last_line_will_do(tmp_path: Path) -> None:
    history = tmp_path / "history.jsonl"
    check_history(history)
    history.write_text('{"step":1,"reward":0.5}\n{"step":2,"re')
    check_history(history)


def test_a_history_that_cannot_be_read_is_told(tmp_path: Path) -> None:
    with pytest.raises(FolderError, match="directory"):
        check_history(tmp_path)

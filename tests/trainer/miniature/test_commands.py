"""Commands run one after the other; one that fails ends the road, and is named."""

from io import StringIO
from pathlib import Path

import httpx
import pytest
from rich.console import Console

from trainer.miniature.__main__ import free_port
from trainer.miniature.commands import CommandFailed, Commands


def commands() -> Commands:
    return Commands(Console(file=StringIO(), width=200))


def shown(ran: Commands) -> str:
    assert isinstance(ran.console.file, StringIO)
    return ran.console.file.getvalue()


def test_a_command_is_shown_as_one_would_type_it(tmp_path: Path) -> None:
    ran = commands()
    ran.run("a stage", "shop-r1", "data", "storefront", tmp_path / "two words.jsonl", "--sessions", "2")
    assert (tmp_path / "two words.jsonl").exists()
    assert f"$ shop-r1 data storefront '{tmp_path}/two words.jsonl' --sessions 2" in shown(ran)
    assert [took.stage for took in ran.done] == ["a stage"]


def test_a_command_that_fails_is_named_with_its_status() -> None:
    with pytest.raises(CommandFailed, match="a stage: `shop-r1 data nonsense` ended with status 2"):
        commands().run("a stage", "shop-r1", "data", "nonsense")


def test_the_server_is_ready_while_it_is_needed_and_gone_after(tmp_path: Path) -> None:
    ran = commands()
    with ran.server(free_port(), tmp_path / "log", {"REWARD_CERTAINTY": "rollout"}) as url:
        assert httpx.get(f"{url}/version").json()["certainty"]["source"] == "rollout"
    with pytest.raises(httpx.ConnectError):
        httpx.get(f"{url}/version")
    assert "REWARD_CERTAINTY=rollout reward-server serve" in shown(ran)


def test_a_server_that_does_not_come_up_is_an_error(tmp_path: Path) -> None:
    settings = {"REWARD_SPEC": "no-such-spec"}
    with pytest.raises(CommandFailed, match="did not become ready"), commands().server(1, tmp_path / "log", settings):
        pytest.fail("it is not there")
    assert "no-such-spec" in (tmp_path / "log").read_text()

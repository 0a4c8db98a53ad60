"""The documents name everything a user can set, see or be told."""

import re
from pathlib import Path

import pytest

from reward_server.cli.flags import environment_variable
from reward_server.reward.completion import Reason
from reward_server.reward.spec import preset_names
from reward_server.service.metrics import Metrics
from reward_server.settings import Settings
from trainer.openrlhf.recipe.recipe import Recipe, ServerPart, read_recipe, recipe_names
from trainer.sessions.faults import Fault
from trainer.sessions.schema import Step

ROOT = Path(__file__).parents[1]
REWARD, API, OPERATE, DATA, TRAIN, README = (
    (ROOT / name).read_text(encoding="utf-8")
    for name in ("docs/reward.md", "docs/api.md", "docs/operate.md", "docs/data.md", "docs/train.md", "README.md")
)


@pytest.mark.parametrize("name", Settings.model_fields)
def test_every_setting_is_documented(name: str) -> None:
    assert f"| `{environment_variable(name)}` |" in OPERATE


@pytest.mark.parametrize(
    "name", sorted(family.name for family in Metrics().registry.collect() if "shop_r1" in family.name)
)
def test_every_metric_is_documented(name: str) -> None:
    assert re.search(rf"\| `{name}(_total)?` \|", OPERATE)


@pytest.mark.parametrize("reason", Reason)
def test_every_reason_is_documented(reason: Reason) -> None:
    assert f"| `{reason.value}` |" in REWARD


@pytest.mark.parametrize("name", preset_names())
def test_every_preset_is_documented(name: str) -> None:
    assert f"`{name}`" in REWARD


@pytest.mark.parametrize("fault", Fault)
def test_every_fault_of_a_row_is_documented(fault: Fault) -> None:
    assert re.search(rf"^\| .*`{fault.value}`.* \|", DATA, re.MULTILINE)


@pytest.mark.parametrize("name", Step.model_fields)
def test_every_field_of_a_step_is_documented(name: str) -> None:
    assert re.search(rf"^\| .*`(steps\[\]\.)?{name}`.* \|", DATA, re.MULTILINE)


@pytest.mark.parametrize("name", recipe_names())
def test_every_recipe_is_documented(name: str) -> None:
    assert re.search(rf"^\| .*`{re.escape(name)}`.* \|", TRAIN, re.MULTILINE)


@pytest.mark.parametrize("name", [*Recipe.model_fields, *ServerPart.model_fields])
def test_every_key_of_a_recipe_is_documented(name: str) -> None:
    assert re.search(rf"^\| [^|]*`{name}`[^|]* \|", TRAIN, re.MULTILINE)


@pytest.mark.parametrize("name", recipe_names())
def test_every_flag_that_a_recipe_sets_is_documented(name: str) -> None:
    assert [flag for flag in read_recipe(name).flags if not re.search(rf"^\| [^|]*`{flag}`", TRAIN, re.MULTILINE)] == []


def test_every_problem_is_documented() -> None:
    sources = "".join(path.read_text(encoding="utf-8") for path in (ROOT / "reward_server" / "service").glob("*.py"))
    kinds = set(re.findall(r'unprocessable\(\s*"([a-z-]+)"', sources))
    kinds |= set(re.findall(r'HTTPStatus\.[A-Z_]+,\s*"([a-z-]+)"', sources))
    assert kinds >= {"bad-json", "over-limit", "another-spec", "draining", "internal"}, "the pattern still finds them"
    assert [kind for kind in sorted(kinds) if f"`{kind}`" not in API] == []


def test_every_link_between_the_documents_leads_somewhere() -> None:
    for document in (ROOT / "README.md", ROOT / "SECURITY.md", *(ROOT / "docs").glob("*.md")):
        for target in re.findall(r"\]\(([^)#:]+)\)", document.read_text(encoding="utf-8")):
            assert (document.parent / target).exists(), f"{document.name} links to {target}"

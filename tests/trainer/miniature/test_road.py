"""The road asks for nothing that its commands do not take: a misspelt option would show only after ten minutes."""

import os
from collections.abc import Iterator
from io import StringIO
from pathlib import Path

import pytest
from rich.console import Console
from typer.testing import CliRunner

from trainer.cli.app import app
from trainer.miniature.__main__ import app as miniature
from trainer.miniature.commands import Commands
from trainer.miniature.road import Road, anew, evaluate, make_data, make_sft_model, train
from trainer.miniature.study import ADVANTAGES, OF_THE_ROAD, SPECS, VARIANTS, study
from trainer.openrlhf.recipe.recipe import read_recipe
from trainer.tiny_model.__main__ import app as tiny_model

URL = "http://127.0.0.1:8080"


class Recorded(Commands):
    """Runs nothing, and leaves behind what GRPO would."""

    def __init__(self) -> None:
        super().__init__(Console(file=StringIO()))
        self.arguments: list[list[str]] = []

    def run(self, stage: str, *arguments: str | Path) -> None:
        self.arguments.append([str(argument) for argument in arguments])


def asked_by_road(road: Road) -> list[list[str]]:
    ran = Recorded()
    make_data(road, ran)
    make_sft_model(road, ran)
    train(road, ran, URL, road.grpo_run, *anew(road))
    evaluate(road, ran)
    return ran.arguments


def asked_by_study(road: Road) -> list[list[str]]:
    ran = Recorded()
    study(road, ran, URL)
    return ran.arguments


def saved(*models: Path) -> None:
    """Weights in each folder, a second after those before."""
    for second, folder in enumerate(models):
        folder.mkdir(parents=True)
        weights = folder / "model.safetensors"
        weights.touch()
        os.utime(weights, (second, second))


def all_asked() -> Iterator[list[str]]:
    for overwrite in (False, True):
        road = Road(Path("out"), overwrite=overwrite)
        yield from asked_by_road(road)
        yield from asked_by_study(road)


@pytest.mark.parametrize("arguments", list(all_asked()))
def test_a_command_takes_every_option_that_it_is_given(arguments: list[str]) -> None:
    # Unknown options and missing values are refused before --help is looked at.
    program, *rest = arguments
    command, given = (app, rest) if program == "shop-r1" else (tiny_model, rest[2:])
    done = CliRunner().invoke(command, [*given, "--help"])
    assert done.exit_code == 0, done.output


def test_an_option_that_there_is_not_would_be_noticed() -> None:
    assert CliRunner().invoke(app, ["grpo", "cpu-smoke", "--no-such-option", "--help"]).exit_code == 2


def test_a_road_that_may_be_written_over_says_so_to_every_command_that_refuses_otherwise() -> None:
    asked = asked_by_road(Road(Path("out"), overwrite=True))
    refusing = [each for each in asked if "trainer.tiny_model" in each or each[1] in ("sft", "grpo")]
    assert len(refusing) == 3
    assert all("--overwrite" in each for each in refusing)
    assert not any("--overwrite" in each for each in asked_by_road(Road(Path("out"))))


def test_the_study_trains_every_reward_with_both_advantages_from_the_road_s_model() -> None:
    road = Road(Path("out"))
    trained = [each for each in asked_by_study(road) if each[1] == "grpo"]
    assert [each[each.index("--spec") + 1] for each in trained] == [spec for spec in SPECS for _ in range(2)]
    assert [each[-1].rpartition("=")[2] for each in trained] == ["group_norm", "dr_grpo"] * 3
    assert {each[each.index("--model") + 1] for each in trained} == {str(road.sft_model)}
    assert len({each[each.index("--out") + 1] for each in trained}) == len(VARIANTS)


def test_a_study_that_was_interrupted_trains_only_what_is_missing(tmp_path: Path) -> None:
    road = Road(tmp_path)
    saved(road.sft_model, *(road.study / variant.name / "model" for variant in VARIANTS[:2]))
    (road.study / VARIANTS[2].name).mkdir()
    asked = [each for each in asked_by_study(road) if each[1] == "grpo"]
    assert [Path(each[each.index("--out") + 1]).name for each in asked] == [each.name for each in VARIANTS[2:]]
    assert ["--overwrite" in each for each in asked] == [True, False, False, False], "the third was begun"


def test_the_road_s_own_training_is_not_done_twice(tmp_path: Path) -> None:
    road = Road(tmp_path, overwrite=True)
    saved(road.sft_model, road.grpo_run / "model")
    asked = [each for each in asked_by_study(road) if each[1] == "grpo"]
    assert OF_THE_ROAD.name not in [Path(each[each.index("--out") + 1]).name for each in asked]
    assert len(asked) == len(VARIANTS) - 1
    assert (road.study / OF_THE_ROAD.name / "model" / "model.safetensors").exists()


def test_the_road_trains_as_the_study_takes_it_for() -> None:
    recipe = read_recipe("grpo-cpu-smoke")
    assert recipe.server is not None
    assert recipe.server.spec == OF_THE_ROAD.spec
    assert recipe.flags["algo.advantage.estimator"] == ADVANTAGES[OF_THE_ROAD.divided_by]


def test_a_study_of_an_earlier_model_is_trained_anew(tmp_path: Path) -> None:
    road = Road(tmp_path)
    saved(*(road.study / variant.name / "model" for variant in VARIANTS), road.sft_model)
    assert len([each for each in asked_by_study(road) if each[1] == "grpo"]) == len(VARIANTS)


@pytest.mark.parametrize("command", ["road", "study"])
def test_what_cannot_be_done_is_wrong_usage_before_anything_runs(command: str, tmp_path: Path) -> None:
    (tmp_path / "thesis.tex").touch()
    done = CliRunner().invoke(miniature, [command, str(tmp_path)])
    assert done.exit_code == 2
    told = " ".join(done.output.replace("│", " ").split())
    assert ("is not empty" if command == "road" else "has no SFT model") in told

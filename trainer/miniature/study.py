"""The paper's point in miniature: three rewards, each with two kinds of advantage, from one SFT model."""

from itertools import product
from pathlib import Path
from typing import NamedTuple

from trainer.miniature.commands import Commands
from trainer.miniature.road import Road, train

SPECS = ("shop-r1", "shop-r1-no-dars", "shop-r1-binary")

ADVANTAGES = {"group-std": "group_norm", "nothing": "dr_grpo"}
"""What a reward less its group's mean is divided by, and OpenRLHF's name for it."""


class Variant(NamedTuple):
    """A run of the study."""

    spec: str
    divided_by: str
    """One of ADVANTAGES."""

    @property
    def name(self) -> str:
        """Of its folder."""
        return f"{self.spec}-{self.divided_by}"

    @property
    def options(self) -> list[str]:
        """For `shop-r1 grpo`."""
        estimator = f"openrlhf.algo.advantage.estimator={ADVANTAGES[self.divided_by]}"
        return ["--spec", self.spec, "--set", estimator]


VARIANTS = [Variant(*pair) for pair in product(SPECS, ADVANTAGES)]

OF_THE_ROAD = Variant("shop-r1", "nothing")
"""What the road has trained as its own GRPO."""


def study(road: Road, commands: Commands, url: str) -> list[Path]:
    """Train every variant, and put their curves beside each other; returns the runs' folders.

    A variant that an earlier study trained to its end from the same model is kept, unless the road says anew.
    """
    runs = [road.study / variant.name for variant in VARIANTS]
    _take_over(road)
    for variant, run in zip(VARIANTS, runs, strict=True):
        if not is_trained(road, run) or (road.overwrite and not run.is_symlink()):
            anew = ["--overwrite"] if run.exists() else []
            train(road, commands, url, run, *variant.options, *anew)
    outputs = ("--png", road.out / "study.png", "--report", road.out / "study.html", "--json", road.out / "study.json")
    commands.run("curves", "shop-r1", "curves", *runs, *outputs)
    models = [option for run in runs for option in ("--model", run / "model")]
    rows = ("--data", road.test, "--limit", str(road.rows_measured), "--max-new-tokens", "80")
    engine = ("--engine", "transformers", "--generated", road.out / "generated")
    sampled = ("--temperature", "1", "--samples", str(road.samples))
    for spec in SPECS:
        under = ("--spec", spec, "--json", road.out / f"study-{spec}.json")
        reference = ("--model", road.sft_model)
        commands.run(
            f"figures under {spec}", "shop-r1", "evaluate", *reference, *models, *rows, *sampled, *engine, *under
        )
    return runs


def _take_over(road: Road) -> None:
    """Let the road's own GRPO stand among the runs."""
    run = road.study / OF_THE_ROAD.name
    if is_trained(road, road.grpo_run) and not run.exists():
        run.parent.mkdir(parents=True, exist_ok=True)
        run.symlink_to(Path("..", road.grpo_run.name))


def is_trained(road: Road, run: Path) -> bool:
    """Whether a run is over that started from the road's SFT model: as make has it, its own is the later one."""
    own, start = (folder / "model.safetensors" for folder in (run / "model", road.sft_model))
    return own.is_file() and own.stat().st_mtime > start.stat().st_mtime

"""The road: sessions, a base model, SFT, GRPO through the reward server, evaluation, report."""

from dataclasses import dataclass
from pathlib import Path

from trainer.miniature.commands import Commands

BASE_STEPS = ("--drill-steps", "240", "--base-steps", "200", "--answer-steps", "0", "--threads", "2")
_LAYOUT = ("--context", "latest-step", "--prompt", "short")
"""What a model with a context of a few hundred tokens can read."""


@dataclass(frozen=True, slots=True)
class Road:
    """Where everything lies, and how far the road goes."""

    out: Path
    sessions: int = 1_600
    base_sessions: int = 2_000
    rows_measured: int = 500
    samples: int = 4
    """Completions per row for the mean reward, sampled as in training."""
    overwrite: bool = False
    """Whether runs of an earlier road are replaced."""

    @property
    def base(self) -> Path:
        """The model that stands in for Qwen: it has read pages, and seen no answer."""
        return self.out / "base"

    @property
    def sft_run(self) -> Path:
        """The folder of the SFT run."""
        return self.out / "sft"

    @property
    def sft_model(self) -> Path:
        """What GRPO starts from."""
        return self.sft_run / "model"

    @property
    def grpo_run(self) -> Path:
        """The folder of the GRPO run."""
        return self.out / "grpo"

    @property
    def study(self) -> Path:
        """The folder of the study's runs, which start where this one's GRPO does."""
        return self.out / "study"

    @property
    def prompts(self) -> Path:
        """GRPO's data."""
        return self.out / "rl.jsonl"

    @property
    def test(self) -> Path:
        """Rows of shoppers that no training has seen."""
        return self.out / "test.jsonl"

    @property
    def accuracy(self) -> Path:
        """Figures of all models, answering greedily; the first is the untrained one."""
        return self.out / "accuracy.json"

    @property
    def reward(self) -> Path:
        """Figures before and after GRPO, sampled as in training."""
        return self.out / "reward.json"

    @property
    def report(self) -> Path:
        """For people."""
        return self.out / "report.html"


def make_data(road: Road, commands: Commands) -> None:
    """Sessions of simulated shoppers, split by shopper, as rows for SFT, for GRPO and for the evaluation."""
    splits = road.out / "splits"
    sessions = road.out / "sessions.jsonl"
    commands.run(
        "simulated shoppers", "shop-r1", "data", "storefront", sessions, "--sessions", str(road.sessions), "--seed", "1"
    )
    commands.run("split by shopper", "shop-r1", "data", "split", sessions, "--out", splits, "--by", "user")
    train, test = splits / "train.jsonl", splits / "test.jsonl"
    commands.run("SFT rows", "shop-r1", "data", "sft", train, "--out", road.out / "sft.jsonl", *_LAYOUT)
    commands.run("GRPO rows", "shop-r1", "data", "rl", train, "--out", road.prompts, *_LAYOUT)
    commands.run("test rows", "shop-r1", "data", "rl", test, "--out", road.test, *_LAYOUT)


def make_sft_model(road: Road, commands: Commands) -> None:
    """The base, from nothing, then its cold start by OpenRLHF."""
    sessions = ("--sessions", str(road.base_sessions), "--measured-steps", "50")
    base = ("python", "-m", "trainer.tiny_model", road.base)
    commands.run("base model", *base, *BASE_STEPS, *sessions, *anew(road))
    where = ("--model", road.base, "--data", road.out / "sft.jsonl", "--out", road.sft_run)
    commands.run("SFT", "shop-r1", "sft", "cpu-smoke", *where, *anew(road))


def train(road: Road, commands: Commands, url: str, run: Path, *options: str) -> None:
    """GRPO from the SFT model, into the folder `run`, scored by the server at `url`."""
    where = ("--model", road.sft_model, "--data", road.prompts, "--out", run, "--server", url)
    commands.run(f"GRPO: {run.name}", "shop-r1", "grpo", "cpu-smoke", *where, *options)


def evaluate(road: Road, commands: Commands) -> None:
    """Untrained, SFT and GRPO on the same rows: greedy for accuracy, then sampled for the reward."""
    models = ("--model", road.sft_model, "--model", road.grpo_run / "model")
    rows = ("--data", road.test, "--limit", str(road.rows_measured), "--max-new-tokens", "80")
    engine = ("--engine", "transformers", "--generated", road.out / "generated")
    outputs = ("--report", road.report, "--history", road.grpo_run, "--json", road.accuracy)
    commands.run("accuracy", "shop-r1", "evaluate", "--model", road.base, *models, *rows, *engine, *outputs)
    sampled = ("--temperature", "1", "--samples", str(road.samples), "--json", road.reward)
    commands.run("reward", "shop-r1", "evaluate", *models, *rows, *engine, *sampled)


def anew(road: Road) -> list[str]:
    """The option of commands that refuse to write over what is there."""
    return ["--overwrite"] if road.overwrite else []

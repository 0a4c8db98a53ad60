"""What tiny models learn from: the storefront's sessions as RL rows show them, and what the shopper answered."""

from collections.abc import Iterable, Iterator
from typing import NamedTuple

import orjson

from reward_server.reward.action import ActionSpace
from reward_server.specs import find_spec
from trainer.sessions.context import Layout, Scope
from trainer.sessions.datasets import Builder, Built
from trainer.sessions.files import Located
from trainer.sessions.prompt import PromptStyle, answer_text
from trainer.sessions.rules import Rules
from trainer.sessions.schema import Session
from trainer.sessions.storefront import Storefront
from trainer.sessions.storefront.draws import random_for, weighted
from trainer.tiny_model.tokenizer import END_OF_TURN, render

USUAL: tuple[PromptStyle, Scope] = ("short", "latest-step")
"""How nearly all prompts are laid out, and all that a model is measured on."""

LAYOUTS: dict[tuple[PromptStyle, Scope], float] = {
    USUAL: 0.94,
    ("short", "whole-session"): 0.02,
    ("full", "latest-step"): 0.02,
    ("full", "whole-session"): 0.02,
}
"""Shares of the sessions; the rest is there so that a model has seen every layout."""

ALONE = 0.05
"""Share of answers without any prompt, for a server may be asked of a completion alone."""


class Example(NamedTuple):
    """A question and the shopper's answer."""

    prompt: str
    """The chat so far and the opening of the answer; empty where the answer stands alone."""
    rationale: str
    action: dict[str, str]

    @property
    def answer(self) -> str:
        """The answer in full, with the end of the turn."""
        return answer_text(self.action, self.rationale) + END_OF_TURN


def action_space() -> ActionSpace:
    """That of the paper."""
    return find_spec("shop-r1").action_space


def examples(
    sessions: Iterable[Session], layout: tuple[PromptStyle, Scope] = USUAL, first_step: bool = False
) -> Iterator[Example]:
    """One example for every RL row of the storefront's sessions; their first steps, which RL leaves out, on request."""
    style, scope = layout
    space = action_space()
    builder = Builder(Layout(space, scope, style), Rules(space), first_step=first_step)
    for session in sessions:
        for built in builder.rl([Located("storefront", 1, session)]):
            assert isinstance(built, Built), "the storefront's sessions have no faults"
            rationale = session.steps[built.row["step"] - 1].rationale
            assert rationale is not None, "the storefront's shoppers always say why"
            yield Example(render(built.row["prompt"]), rationale, orjson.loads(built.row["label"]))


def training_examples(sessions: Iterable[Session], seed: int) -> Iterator[Example]:
    """The examples to train on: all steps of the storefront's sessions, in varied layouts, some answers alone."""
    random = random_for("tiny-model", seed)
    layouts = list(LAYOUTS)
    for session in sessions:
        layout = layouts[weighted(random, list(LAYOUTS.values()))]
        for example in examples([session], layout, first_step=True):
            yield example._replace(prompt="") if random.random() < ALONE else example


def held_out_sessions(shop: int, steps: int) -> list[Session]:
    """The shop's first sessions with at least so many steps to predict."""
    sessions: list[Session] = []
    for session in Storefront(shop).sessions(steps):
        if steps <= 0:
            break
        sessions.append(session)
        steps -= len(session.steps) - 1
    return sessions

"""Examples are RL rows with the shopper's answers."""

import json
from pathlib import Path

from tests.trainer.cli.commands import run
from tests.trainer.tiny_model.support import some_examples, some_sessions
from trainer.sessions.files import write_session
from trainer.sessions.storefront import Storefront
from trainer.tiny_model.examples import examples, held_out_sessions, training_examples
from trainer.tiny_model.tokenizer import render


def test_prompts_and_labels_are_those_of_the_command_that_builds_rl_rows(tmp_path: Path) -> None:
    (tmp_path / "sessions.jsonl").write_bytes(b"".join(map(write_session, some_sessions())))
    options = ("--prompt", "short", "--context", "latest-step")
    assert run("data", "rl", tmp_path / "sessions.jsonl", "--out", tmp_path / "rl.jsonl", *options).returncode == 0
    rows = [json.loads(line) for line in (tmp_path / "rl.jsonl").read_text().splitlines()]
    assert [example.prompt for example in some_examples()] == [render(row["prompt"]) for row in rows]
    assert [example.action for example in some_examples()] == [json.loads(row["label"]) for row in rows]


def test_the_answer_is_the_shoppers_own_and_ends_the_turn() -> None:
    steps = [step for session in some_sessions() for step in session.steps[1:]]
    for example, step in zip(some_examples(), steps, strict=True):
        text, end, after = example.answer.partition("<|im_end|>")
        assert json.loads(text) == {"rationale": step.rationale, "action": step.action}
        assert (end, after) == ("<|im_end|>", "")


def test_training_has_every_step_once_some_of_them_alone_and_some_laid_out_otherwise() -> None:
    sessions = list(Storefront(3).sessions(150))
    learnt = list(training_examples(iter(sessions), seed=0))
    assert len(learnt) == sum(len(session.steps) for session in sessions)
    usual = {example.prompt for example in examples(sessions, first_step=True)}
    alone = sum(not example.prompt for example in learnt)
    otherwise = sum(bool(example.prompt) and example.prompt not in usual for example in learnt)
    # 5 % of some 670 steps, give or take five standard deviations; 6 % of 150 sessions of some 4 steps.
    assert 5 <= alone <= 62
    assert 0 < otherwise <= 120
    assert list(training_examples(iter(sessions), seed=0)) == learnt
    assert list(training_examples(iter(sessions), seed=1)) != learnt


def test_held_out_sessions_are_the_shops_first_with_enough_steps() -> None:
    found = held_out_sessions(3, 20)
    assert found == some_sessions()[: len(found)]
    counts = [len(session.steps) - 1 for session in found]
    assert sum(counts) >= 20 > sum(counts[:-1])

"""Nested flags become arguments that argparse reads back as the same values."""

import argparse
from typing import Any

import pytest

from trainer.openrlhf.recipe.flags import FlagTreeError, Read, flatten, to_arguments


def test_a_tree_is_flattened_in_its_order_and_null_is_left_out() -> None:
    tree = {"b": {"c": {"d": 1e-7}, "e": True}, "a": "x", "gone": None, "empty": {}}
    assert list(flatten(tree).items()) == [("b.c.d", 1e-7), ("b.e", True), ("a", "x")]


@pytest.mark.parametrize(
    ("tree", "path", "said"),
    [
        ({"actor.adam.lr": 1}, ("actor.adam.lr",), "nest it: actor: {adam: {lr: …}}"),
        ({"a": {"b c": 1}}, ("a", "b c"), "no part of a flag's name"),
        ({"a": {"": 1}}, ("a", ""), "no part of a flag's name"),
        ({"a": []}, ("a",), "an empty list"),
        ({"a": [True]}, ("a",), "a list holds numbers or texts"),
        ({"a": [[1]]}, ("a",), "a list holds numbers or texts"),
        ({"a": float("inf")}, ("a",), "not a finite number"),
        ({"a": [1, float("nan")]}, ("a",), "not a finite number"),
        ({"a": "x\x1b[31m"}, ("a",), "cannot be printed"),
        ({"a": "-dash"}, ("a",), "begins with a dash"),
        ({"a": [0.9, "--train.agent_func_path=/evil.py"]}, ("a",), "would be read as a flag"),
        ({"a": ["-1e-5"]}, ("a",), "would be read as a flag"),
    ],
    ids=str,
)
def test_what_no_command_line_can_say_is_refused(tree: dict[str, Any], path: tuple[str, ...], said: str) -> None:
    with pytest.raises(FlagTreeError) as caught:
        flatten(tree)
    assert caught.value.path == path
    assert said in caught.value.reason


def test_argparse_reads_every_value_back() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--lr", type=float)
    parser.add_argument("--on", action="store_true")
    parser.add_argument("--off", action="store_true")
    parser.add_argument("--range", type=float, nargs=2)
    parser.add_argument("--one", type=float)
    parser.add_argument("--text")
    flags = {"lr": 1e-7, "on": True, "off": False, "range": [-1e-9, 3], "one": -2.5e-6, "text": "-0.5"}
    read = parser.parse_args([argument for flag in to_arguments(flags) for argument in flag])
    assert vars(read) == flags


def test_a_flag_that_is_not_said_or_is_none_has_the_fallback() -> None:
    read = Read({"a": None, "b": "3", "c": [1, 2], "d": True, "e": 1})
    assert (read.count("a", 7), read.number("b", 0), read.text("z", "k1"), read.pair("c", (0, 0))) == (
        7,
        3,
        "k1",
        (1, 2),
    )
    assert (read.is_on("d"), read.is_on("e"), read.is_on("z")) == (True, False, False)

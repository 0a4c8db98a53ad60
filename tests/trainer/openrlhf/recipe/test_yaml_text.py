"""YAML in recipes: every scalar means one thing, and nothing is read twice."""

from typing import Any

import pytest

from trainer.openrlhf.recipe.yaml_text import YamlError, dump_yaml, load_yaml


# What YAML 1.2's core schema says; PyYAML alone reads most of these otherwise.
@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("1e-7", 1e-7),
        ("1.0e-07", 1e-7),
        ("-3", -3),
        ("off", "off"),
        ("no", "no"),
        ("true", True),
        ("010", "010"),
        ("1_000", "1_000"),
        ("12:30", "12:30"),
        ("2026-01-01", "2026-01-01"),
        ("null", None),
        ("'1'", "1"),
        ("[1, 2.5, k3]", [1, 2.5, "k3"]),
        ("", None),
    ],
)
def test_a_scalar_is_read_as_yaml_1_2_has_it(text: str, value: object) -> None:
    read = load_yaml(text)
    assert (type(read), read) == (type(value), value)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("a: 1\nb:\n  c: 1\n  c: 2\n", "line 4, column 3: the key 'c' is given twice"),
        ("a: &x [1]\nb: *x\n", "line 1, column 4: anchors and aliases"),
        ("a: !!python/object/apply:os.system [ls]", "line 1, column 4: tags such as"),
        ("1: 2", "a key is a text, not 1"),
        ("? [a]\n: 1", "a key is a text"),
        ("a: [", "not YAML"),
        ("a: \x07", "not YAML"),
        ("a: 1\n---\nb: 2", "another document"),
        ("[" * 10_000, "nested too deeply"),
        ("a" * (2**20 + 1), "1,048,577 characters"),
    ],
    ids=lambda text: text[:20],
)
def test_what_a_recipe_cannot_mean_is_refused_with_its_place(text: str, said: str) -> None:
    with pytest.raises(YamlError) as caught:
        load_yaml(text)
    assert said in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    "value", [{"a": {"lr": 1e-7, "level": "off", "text": "1e-7", "more": "true", "none": None, "list": [-1e-9, 1e22]}}]
)
def test_what_is_written_is_read_back(value: dict[str, Any]) -> None:
    assert load_yaml(dump_yaml(value)) == value

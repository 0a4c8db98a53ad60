"""Specs by name or by file."""

from pathlib import Path

import pytest

from reward_server.reward.spec import SpecError, load_preset, preset_names
from reward_server.specs import find_spec


def refusal(name_or_file: str | Path) -> str:
    with pytest.raises(SpecError) as caught:
        find_spec(str(name_or_file))
    return str(caught.value)


@pytest.mark.parametrize("name", preset_names())
def test_every_preset_is_found_by_its_name(name: str) -> None:
    assert find_spec(name).name == name


def test_a_file_is_found_by_its_path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = tmp_path / "mine.toml"
    file.write_text('extends = "shop-r1"\nname = "価格"\ndars = 10.0\n', encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    for path in (str(file), "mine.toml", "./mine.toml", f"../{tmp_path.name}/mine.toml"):
        spec = find_spec(path)
        assert (spec.name, spec.dars) == ("価格", 10)


def test_a_preset_written_out_as_a_file_is_the_same_spec(tmp_path: Path) -> None:
    file = tmp_path / "shop-r1.toml"
    file.write_text(
        'name = "shop-r1"\ndars = 1000.0\nformat.weight = 0.5\n'
        'certainty = { kind = "kl_to_uniform", weight = 0.005 }\n'
        "[actions.type_and_submit]\ntype = 0.3\n"
        "fields.text = { attribute = 0.1, value = 1.0, dars = true }\n"
        "fields.name = { attribute = 0.1, value = 0.1 }\n"
        "[actions.click]\ntype = 0.3\nfields.name = { attribute = 0.2, value = 1.0, dars = true }\n"
        "[actions.terminate]\ntype = 0.3\n"
    )
    assert find_spec(str(file)).digest == load_preset("shop-r1").digest


@pytest.mark.parametrize("name", ["", "nope", "Shop-R1", "shop-r1 ", "mine.tml", "shop-r1.yaml"])
def test_what_is_neither_is_answered_with_what_there_is(name: str) -> None:
    assert repr(name) in refusal(name)
    assert [preset for preset in preset_names() if preset not in refusal(name)] == []
    assert ".toml" in refusal(name)


def test_a_file_that_cannot_be_read_is_named_with_the_reason(tmp_path: Path) -> None:
    (tmp_path / "folder.toml").mkdir()
    (tmp_path / "latin.toml").write_bytes('name = "café"'.encode("latin-1"))
    for name, reason in (("missing", "No such file"), ("folder", "directory"), ("latin", "not UTF-8")):
        file = tmp_path / f"{name}.toml"
        assert (refusal(file).startswith(f"{file}: "), reason in refusal(file)) == (True, True)


@pytest.mark.parametrize(
    ("content", "reasons"),
    [
        ("dars = 1.0\nname = x", ["not TOML", "line 2"]),
        ('name = "x"', ["actions: Field required"]),
        ('extends = "nope"', ["extends", "'nope'", "shop-r1-no-dars"]),
        ("extends = 1", ["extends"]),
        ('extends = "shop-r1"\nname = "x"\ndarts = 1.0\nformat.weight = -1.0', ["darts", "format.weight"]),
        ('extends = "shop-r1"\nname = "x"\nactions.click.fields.name.value = "1"', ["actions.click.fields.name.value"]),
        ('extends = "shop-r1"\nname = "x"\nactions = 1', ["actions"]),
        ('extends = "shop-r1"', ["name"]),
    ],
)
def test_a_file_that_is_no_spec_is_named_with_every_fault(content: str, reasons: list[str], tmp_path: Path) -> None:
    file = tmp_path / "bad.toml"
    file.write_text(content)
    assert refusal(file).startswith(str(file))
    assert [reason for reason in reasons if reason not in refusal(file)] == []

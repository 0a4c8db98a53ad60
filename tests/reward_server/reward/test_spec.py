"""Reward specs: presets, validation, canonical form, digest."""

import hashlib
import json

import pytest

from reward_server.certainty.source import Kind
from reward_server.reward.spec import CertaintyKind, RewardSpec, SpecError, load_preset, preset_names, read_spec

MINIMAL = 'name = "mine"\n[actions.buy]\ntype = 1.0\n'


def test_there_is_a_preset_for_each_row_of_table_4_each_baseline_each_certainty_kind_and_each_data_set() -> None:
    assert preset_names() == (
        "shop-r1",
        "shop-r1-binary",
        "shop-r1-kl-from-uniform",
        "shop-r1-kl-to-uniform-over-vocab",
        "shop-r1-no-dars",
        "shop-r1-no-format",
        "shop-r1-no-rationale",
        "binary",
        "customer-r1",
        "opera",
    )


def test_the_default_preset_holds_the_paper_s_numbers() -> None:
    spec = load_preset("shop-r1")
    assert (spec.dars, spec.format.weight, spec.certainty.weight) == (1000, 0.5, 0.005)
    assert (spec.similarity.threshold, spec.similarity.strict, spec.similarity.tokenizer) == (0.75, True, "rouge-score")
    assert spec.certainty.kind == "kl_to_uniform"
    assert {name: action.type for name, action in spec.actions.items()} == dict.fromkeys(spec.action_space, 0.3)
    click, submit = spec.actions["click"].fields, spec.actions["type_and_submit"].fields
    assert (click["name"].attribute, click["name"].value, click["name"].dars) == (0.2, 1, True)
    assert (submit["name"].attribute, submit["name"].value, submit["name"].dars) == (0.1, 0.1, False)
    assert (submit["text"].attribute, submit["text"].value, submit["text"].dars) == (0.1, 1, True)


@pytest.mark.parametrize(
    ("name", "changes"),
    [
        ("shop-r1-no-format", {"format.weight": 0.0}),
        ("shop-r1-no-rationale", {"certainty.weight": 0.0}),
        ("shop-r1-no-dars", {"dars": 1.0}),
        ("shop-r1-kl-from-uniform", {"certainty.kind": "kl_from_uniform"}),
        ("shop-r1-kl-to-uniform-over-vocab", {"certainty.kind": "kl_to_uniform_over_vocab"}),
    ],
)
def test_an_ablation_differs_from_the_full_reward_in_one_place(name: str, changes: dict[str, object]) -> None:
    expected = load_preset("shop-r1").model_dump(exclude={"name", "description"})
    for dotted, value in changes.items():
        *tables, key = dotted.split(".")
        target = expected
        for table in tables:
            target = target[table]
        target[key] = value
    assert load_preset(name).model_dump(exclude={"name", "description"}) == expected


def test_every_preset_says_what_it_is_and_has_a_digest_of_its_own() -> None:
    presets = [load_preset(name) for name in preset_names()]
    assert all(preset.description for preset in presets)
    assert [preset.name for preset in presets] == list(preset_names())
    assert len({preset.digest for preset in presets}) == len(presets)


def test_the_digest_is_the_sha256_of_the_canonical_form_as_sorted_json() -> None:
    spec = load_preset("opera")
    text = json.dumps(spec.canonical(), sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    assert spec.digest == "sha256:" + hashlib.sha256(text.encode()).hexdigest()


@pytest.mark.parametrize(
    "same",
    [
        '[actions.buy]\ntype = 1\n[format]\nweight = 0.5\nmode = "strict"\n',
        'description = "other words"\ndars = 1.0\n[actions.buy]\ntype = 1.0\nwrong = -0.0\n',
        'certainty.kind = "kl_from_uniform"\n[actions.buy]\ntype = 1.0\nfields = {}\n',
    ],
)
def test_files_that_mean_the_same_have_the_same_digest(same: str) -> None:
    assert read_spec(f'name = "another"\n{same}', "a test").digest == read_spec(MINIMAL, "a test").digest


@pytest.mark.parametrize(
    "other",
    [
        "[actions.buy]\ntype = 1.0\nfields.name = { value = 1.0 }",
        "[actions.buy]\ntype = 1.0\n[actions.sell]",
        "[actions.buy]\ntype = 1.0\nfields.name = {}",
        "certainty.weight = 0.1\n[actions.buy]\ntype = 1.0",
    ],
)
def test_files_that_mean_something_else_have_another_digest(other: str) -> None:
    assert read_spec(f'name = "mine"\n{other}', "a test").digest != read_spec(MINIMAL, "a test").digest


def test_the_unused_kind_of_a_certainty_without_weight_does_not_count() -> None:
    without = 'extends = "{}"\nname = "x"\ncertainty.weight = 0.0'
    digests = {read_spec(without.format(name), "a test").digest for name in ("shop-r1", "shop-r1-kl-from-uniform")}
    assert digests == {load_preset("shop-r1-no-rationale").digest}


@pytest.mark.parametrize(
    "unused",
    [
        "dars = 2.0\n",
        'similarity.tokenizer = "unicode"\nsimilarity.threshold = 0.1\n',
        "actions.click.fields.name.dars = true\n",
    ],
)
def test_what_no_weight_brings_to_bear_does_not_count(unused: str) -> None:
    spec = read_spec(f'extends = "binary"\nname = "mine"\n{unused}', "a test")
    assert spec.digest == load_preset("binary").digest


@pytest.mark.parametrize("unused", ["dars = 2.0", 'similarity.tokenizer = "unicode"', "similarity.strict = false"])
def test_the_same_counts_where_a_weight_brings_it_to_bear(unused: str) -> None:
    spec = read_spec(f'extends = "shop-r1"\nname = "mine"\n{unused}', "a test")
    assert spec.digest != load_preset("shop-r1").digest


def test_a_file_may_start_from_a_preset_and_change_one_number() -> None:
    spec = read_spec('extends = "shop-r1"\nname = "mine"\nactions.click.fields.name.value = 2.0', "a test")
    assert spec.actions["click"].fields["name"].value == 2.0
    assert spec.actions["click"].fields["name"].dars
    assert spec.actions["terminate"].type == 0.3
    assert spec.description == ""


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("name = ", "not TOML"),
        ("[actions.buy]", "name: Field required"),
        ('name = "x"', "actions: Field required"),
        ('name = "x"\nactions = {}', "actions: "),
        (f"{MINIMAL}typo = 1", "actions.buy.typo: Extra inputs"),
        (f'colour = "red"\n{MINIMAL}', "colour: Extra inputs"),
        (f"dars = -1.0\n{MINIMAL}", "dars: "),
        (f"dars = inf\n{MINIMAL}", "dars: "),
        (f"dars = nan\n{MINIMAL}", "dars: "),
        (f'dars = "1000"\n{MINIMAL}', "dars: "),
        (f"dars = true\n{MINIMAL}", "dars: "),
        (f"similarity.threshold = 1.5\n{MINIMAL}", "similarity.threshold: "),
        (f"similarity.threshold = 1.0\n{MINIMAL}", "strict = false"),
        (f'similarity.tokenizer = "bpe"\n{MINIMAL}', "similarity.tokenizer: "),
        (f'certainty.kind = "entropy"\n{MINIMAL}', "certainty.kind: "),
        (f'format.mode = "loose"\n{MINIMAL}', "format.mode: "),
        (f"format.end_of_turn = ['']\n{MINIMAL}", "format.end_of_turn.0: "),
        (f"{MINIMAL}wrong = 1.0", "actions.buy.wrong: "),
        (f"{MINIMAL}fields.action = {{}}", "'action' has a meaning of its own"),
        ('name = "x"\n[actions.all]', "'all' has a meaning of its own"),
        ('name = "x"\n[actions.invalid]', "'invalid' has a meaning of its own"),
        (f"dars = 1e300\n{MINIMAL}", "dars: "),
        (f"{MINIMAL}wrong = -1e300", "actions.buy.wrong: "),
        (f"{MINIMAL}fields.type = {{}}", "'type' has a meaning of its own"),
        ('name = "a b"\n[actions.buy]', "name: "),
        ('extends = "nope"\nname = "x"', "no preset 'nope'"),
        ('extends = "shop-r1"', "name: Field required"),
    ],
)
def test_a_spec_that_cannot_be_read_names_its_file_and_field(text: str, words: str) -> None:
    with pytest.raises(SpecError) as caught:
        read_spec(text, "rewards/mine.toml")
    assert str(caught.value).startswith("rewards/mine.toml")
    assert words in str(caught.value)


def test_an_unknown_preset_is_refused_with_the_known_ones() -> None:
    with pytest.raises(SpecError, match="shop-r1-no-dars"):
        load_preset("shop-r2")


def test_a_threshold_of_one_can_be_reached() -> None:
    spec = read_spec(f"similarity = {{ threshold = 1.0, strict = false }}\n{MINIMAL}", "a test")
    assert not spec.similarity.strict


def test_a_spec_cannot_be_changed_once_it_is_read() -> None:
    with pytest.raises(ValueError, match="frozen"):
        load_preset("shop-r1").dars = 1.0  # type: ignore[misc]


def test_specs_and_sources_speak_of_the_same_kinds_of_certainty() -> None:
    assert CertaintyKind == Kind


def test_action_types_and_fields_come_in_one_order_whatever_the_file_s() -> None:
    actions = {"zoom": {}, "ask": {"fields": {"b": {}, "a": {}}}}
    assert RewardSpec.model_validate({"name": "x", "actions": actions}).action_space == {"ask": ("a", "b"), "zoom": ()}


def test_a_changed_copy_has_a_digest_of_its_own_and_is_validated() -> None:
    spec = load_preset("shop-r1")
    assert spec.digest != spec.model_copy(update={"dars": 1.0}).digest == load_preset("shop-r1-no-dars").digest
    with pytest.raises(ValueError, match="dars"):
        spec.model_copy(update={"dars": -1.0})

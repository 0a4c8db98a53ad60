"""Model and data, before a run: what is not there, and what is of another kind, is named."""

import io
import json
from pathlib import Path
from typing import Any

import pytest

import reward_server.certainty
from reward_server.reward.spec import load_preset
from tests.trainer.openrlhf.support import ANSWER, RL, SFT, SYSTEM, USER
from trainer.openrlhf.checks.inputs import check_data_path, check_model, training_rows
from trainer.openrlhf.problems import InputError
from trainer.openrlhf.recipe.flags import Kind

DEMO = Path(reward_server.certainty.__file__).parent / "demo_model"
SPACE = load_preset("shop-r1").action_space


def rows(kind: Kind, *content: Any) -> list[int]:
    lines = b"".join(row if isinstance(row, bytes) else json.dumps(row).encode() + b"\n" for row in content)
    return [row.line for row in training_rows(io.BytesIO(lines), "d.jsonl", kind, SPACE)]


def refusal(kind: Kind, *content: Any) -> str:
    with pytest.raises(InputError) as caught:
        rows(kind, *content)
    assert "\n" not in str(caught.value)
    return str(caught.value)


def test_a_model_s_folder_with_all_it_needs_will_do() -> None:
    check_model(str(DEMO))


@pytest.mark.parametrize(
    ("missing", "expected"),
    [("config.json", "no config.json"), ("tokenizer", "no tokenizer"), ("model.safetensors", "no weights")],
)
def test_a_folder_that_lacks_something_is_told_what(missing: str, expected: str, tmp_path: Path) -> None:
    for file in DEMO.iterdir():
        if not file.name.startswith(missing):
            (tmp_path / file.name).write_bytes(b"")
    with pytest.raises(InputError, match=expected):
        check_model(str(tmp_path))


@pytest.mark.parametrize("name", ["./gone", "/gone/model", "out/gone/model", "~/gone", "a model", "Qwen/../x"])
def test_a_path_that_is_not_there_is_named(name: str) -> None:
    with pytest.raises(InputError, match="is not there"):
        check_model(name)


def test_a_model_that_a_recipe_makes_is_told_by_which() -> None:
    with pytest.raises(InputError, match="`shop-r1 sft sft-3b` makes it"):
        check_model("runs/sft-3b/model")
    with pytest.raises(InputError, match="`shop-r1 sft` makes it"):
        check_model("runs/sft/model")


def test_a_file_is_no_model(tmp_path: Path) -> None:
    (tmp_path / "m").write_text("")
    with pytest.raises(InputError, match="name the folder"):
        check_model(str(tmp_path / "m"))


def test_a_hub_id_is_taken_unless_offline_without_it(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("HF_HUB_OFFLINE", raising=False)
    check_model("nobody/there-is-no-such-model")
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    with pytest.raises(InputError, match="HF_HUB_OFFLINE is set"):
        check_model("nobody/there-is-no-such-model")


def test_a_data_file_must_be_there_and_have_a_name_that_openrlhf_can_read(tmp_path: Path) -> None:
    good = tmp_path / "rl.jsonl"
    good.write_text("{}\n")
    check_data_path(str(good))
    for name, content, expected in (
        ("gone.jsonl", None, "No such file"),
        ("empty.jsonl", "", "is empty"),
        ("rl.txt", "{}", "must be named .jsonl"),
        ("a,b.jsonl", "{}", "several data sets"),
        ("a@b.jsonl", "{}", "several data sets"),
    ):
        if content is not None:
            (tmp_path / name).write_text(content)
        with pytest.raises(InputError, match=expected):
            check_data_path(str(tmp_path / name))
    (tmp_path / "folder.jsonl").mkdir()
    with pytest.raises(InputError, match="directory"):
        check_data_path(str(tmp_path / "folder.jsonl"))


def test_a_file_and_its_rows_are_told_by_the_key_that_names_them(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"^openrlhf\.eval\.dataset: .*gone\.jsonl: No such file"):
        check_data_path(str(tmp_path / "gone.jsonl"), "openrlhf.eval.dataset")
    for content in (b"", json.dumps(SFT).encode(), b"[]"):
        with pytest.raises(InputError, match=r"^openrlhf\.eval\.dataset: "):
            list(training_rows(io.BytesIO(content), "d.jsonl", "grpo", SPACE, "openrlhf.eval.dataset"))


def test_good_rows_come_with_their_lines() -> None:
    assert rows("grpo", RL, b"\n", RL) == [1, 3]
    assert rows("sft", SFT) == [1]
    assert rows("grpo", {**RL, "label": {"type": "terminate"}}) == [1]


def test_data_of_the_other_kind_is_named_at_once() -> None:
    assert refusal("grpo", SFT, b"nonsense\n") == (
        "data: d.jsonl, line 1: a row of SFT data, which `shop-r1 sft` takes; `shop-r1 data rl` makes RL data"
    )
    assert "`shop-r1 data sft` makes SFT data" in refusal("sft", RL)


@pytest.mark.parametrize(
    ("row", "expected"),
    [
        (b"{\n", "line 1: the row: not JSON"),
        (b"[]\n", "a row is a JSON object"),
        ({}, "/prompt: a list of messages"),
        ({**RL, "prompt": "text"}, "/prompt: a list of messages"),
        ({**RL, "prompt": ["text"]}, "/prompt/0: a message is an object"),
        ({**RL, "prompt": [{"role": "human", "content": "x"}]}, "/prompt/0/role: 'human', and there are system, user"),
        ({**RL, "prompt": [USER, SYSTEM]}, "/prompt/1/role: only the first"),
        ({**RL, "prompt": [{"role": "user", "content": " "}]}, "/prompt/0/content: a text"),
        ({**RL, "prompt": [{"role": "user", "content": None}]}, "/prompt/0/content: a text"),
        ({**RL, "prompt": [USER, ANSWER]}, "/prompt/1/role: the last message is the user's"),
        ({**RL, "prompt": [{"role": "user", "content": "an <image> tag"}]}, "takes the text <image> in it"),
        ({"prompt": [USER]}, "/label: it is missing"),
        ({**RL, "label": '{"type":"scroll"}'}, "/label/type: unknown action type 'scroll'"),
        ({**RL, "label": '{"type":"click"}'}, "/label/name: a click label needs the field 'name'"),
        ({**RL, "label": ""}, "/label: the label is empty"),
    ],
    ids=lambda value: str(value)[:60],
)
def test_a_bad_rl_row_is_told_by_line_field_and_reason(row: Any, expected: str) -> None:
    assert expected in refusal("grpo", row)


def test_a_chat_that_nobody_answers_teaches_nothing() -> None:
    assert "/messages/1/role: the last message is the assistant's" in refusal("sft", {"messages": [SYSTEM, USER]})


def test_labels_of_two_kinds_are_refused() -> None:
    assert "line 2: /label: labels are either all texts" in refusal("grpo", RL, {**RL, "label": {"type": "terminate"}})


def test_the_first_bad_lines_are_named_and_all_are_counted() -> None:
    told = refusal("grpo", RL, *[{**RL, "label": ""}] * 9)
    assert told.startswith("data: d.jsonl has 9 bad rows of 10: line 2: ")
    assert "line 6: " in told
    assert "line 7: " not in told
    assert told.endswith("and 4 more")


def test_blank_lines_alone_are_no_data() -> None:
    assert refusal("sft", b"\n\n") == "data: d.jsonl is empty"

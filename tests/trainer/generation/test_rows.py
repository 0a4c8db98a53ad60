import json
from pathlib import Path
from typing import Any

import pytest

from reward_server.specs import find_spec
from tests.trainer.generation.support import SPACE, rl_rows, write_rows
from trainer.evaluation.rollouts import Observation, observe
from trainer.generation.errors import GenerationError
from trainer.generation.rows import read_rows, rollout

ROW = {
    "id": "s/2",
    "session": "s",
    "user": "u",
    "step": 2,
    "prompt": [{"role": "user", "content": "What next?"}],
    "label": '{"type": "terminate"}',
    "last_action": '{"type": "click", "name": "home"}',
    "length": 12,
    "pages_dropped": 0,
}


def read(folder: Path, *rows: dict[str, Any] | bytes) -> list[Any]:
    file = folder / "rl.jsonl"
    file.write_bytes(b"\n".join(row if isinstance(row, bytes) else json.dumps(row).encode() for row in rows))
    return list(read_rows(file, SPACE))


def test_a_row_becomes_a_rollout_with_what_the_evaluation_reads(tmp_path: Path) -> None:
    (row,) = read(tmp_path, ROW)
    assert rollout(row, "{}") == {
        "id": "s/2",
        "group": "s/2",
        "session": "s",
        "step": 2,
        "label": '{"type": "terminate"}',
        "last_action": '{"type": "click", "name": "home"}',
        "completion": "{}",
    }


def test_every_row_that_the_builder_writes_is_read_and_evaluates(tmp_path: Path) -> None:
    rows = rl_rows(30)
    lines = [rollout(row, "") for row in read_rows(write_rows(tmp_path / "rl.jsonl", rows), SPACE)]
    with write_rows(tmp_path / "rollouts.jsonl", lines).open("rb") as file:
        seen = list(observe(file, find_spec("shop-r1")))
    assert all(isinstance(each, Observation) for each in seen)
    assert [(each.session, each.step) for each in seen if isinstance(each, Observation)] == [
        (row["session"], row["step"]) for row in rows
    ]


def test_a_first_step_has_no_last_action_and_a_row_without_an_id_is_named_by_its_line(tmp_path: Path) -> None:
    without = {key: value for key, value in ROW.items() if key != "id"} | {"last_action": None}
    rows = read(tmp_path, ROW, b"", without)
    assert (rows[1].line, rows[1].id, "last_action" in rows[1].kept) == (3, "line 3", False)


def test_only_the_first_rows_are_read_under_a_limit(tmp_path: Path) -> None:
    file = write_rows(tmp_path / "rl.jsonl", [ROW, ROW])
    file.write_bytes(file.read_bytes() + b"not JSON")
    assert len(list(read_rows(file, SPACE, 2))) == 2


@pytest.mark.parametrize(
    ("row", "complaint"),
    [
        (b"{", "rl.jsonl:2: the whole line: not JSON"),
        (b"[]", "rl.jsonl:2: the whole line: a row is a JSON object"),
        (ROW | {"prompt": "What next?"}, "rl.jsonl:2: /prompt: Input should be a valid list"),
        ({"messages": ROW["prompt"]}, "rl.jsonl:2: the whole line: a row of SFT data, which `shop-r1 sft` takes; "),
        ({"messages": ROW["prompt"]}, "`shop-r1 data rl` makes RL data"),
        ({"id": "s/2"}, "rl.jsonl:2: /prompt: Field required"),
        (ROW | {"prompt": []}, "rl.jsonl:2: /prompt: List should have at least 1 item"),
        (ROW | {"prompt": [{"role": "user"}]}, "rl.jsonl:2: /prompt/0/content: Field required"),
        ({key: ROW[key] for key in ("id", "prompt")}, "rl.jsonl:2: /label: Field required"),
        (ROW | {"label": '{"type": "hover"}'}, "rl.jsonl:2: /label/type: "),
        (ROW | {"last_action": '{"type": "hover"}'}, "rl.jsonl:2: /last_action/type: "),
        (ROW | {"step": 0}, "rl.jsonl:2: /step: Input should be greater than or equal to 1"),
        (ROW | {"id": 7}, "rl.jsonl:2: /id: Input should be a valid string"),
        (b'{"prompt": [{"role": "user", "content": "\\ud800"}]}', "rl.jsonl:2: /prompt/0/content: not valid Unicode"),
    ],
)
def test_a_row_that_is_none_is_named_with_line_and_field(
    row: dict[str, Any] | bytes, complaint: str, tmp_path: Path
) -> None:
    with pytest.raises(GenerationError) as told:
        read(tmp_path, ROW, row)
    assert complaint in str(told.value)

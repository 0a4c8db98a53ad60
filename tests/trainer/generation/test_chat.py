import json
import shutil
from pathlib import Path

import pytest

from tests.trainer.generation.support import MODEL, rl_rows
from trainer.generation.chat import Chat
from trainer.generation.errors import GenerationError
from trainer.tiny_model.tokenizer import render


@pytest.fixture
def copy(tmp_path: Path) -> Path:
    return Path(shutil.copytree(MODEL, tmp_path / "model"))


def change(file: Path, **fields: object) -> None:
    kept = json.loads(file.read_text(encoding="utf-8")) | fields
    file.write_text(json.dumps({key: value for key, value in kept.items() if value is not None}), encoding="utf-8")


def test_a_prompt_is_what_the_model_was_trained_on() -> None:
    chat = Chat(MODEL)
    for row in rl_rows(5):
        assert chat.tokenizer.decode(chat.token_ids(row["prompt"])) == render(row["prompt"])


def test_context_and_ends_are_those_of_the_model(copy: Path) -> None:
    assert (Chat(MODEL).longest, Chat(MODEL).ends) == (8192, {2})
    change(copy / "generation_config.json", eos_token_id=[0, 1])
    assert Chat(str(copy)).ends == {0, 1, 2}
    (copy / "generation_config.json").unlink()
    assert Chat(str(copy)).ends == {2}


def test_a_text_ends_where_the_turn_does_and_keeps_what_a_reward_is_given_for() -> None:
    chat = Chat(MODEL)
    said, more = (chat.tokenizer(text)["input_ids"] for text in ("I am done .", "<|im_start|>user"))
    assert chat.text([*said, 2, *more]) == "I am done ."
    assert chat.text([*said, *more, 2]) == "I am done .<|im_start|>user"
    assert chat.text([2]) == chat.text([]) == ""


def test_chats_that_read_alike_have_one_fingerprint(copy: Path) -> None:
    assert Chat(str(copy)).fingerprint() == Chat(MODEL).fingerprint()
    change(copy / "tokenizer_config.json", chat_template="{{ messages[0].content }}")
    assert Chat(str(copy)).fingerprint() != Chat(MODEL).fingerprint()


def test_how_a_trainer_left_the_tokenizer_to_cut_texts_makes_no_difference(copy: Path) -> None:
    truncation = {"direction": "Right", "max_length": 4, "strategy": "LongestFirst", "stride": 0}
    change(copy / "tokenizer.json", truncation=truncation)
    chat, (row,) = Chat(str(copy)), rl_rows(1)
    before = chat.fingerprint()
    assert chat.token_ids(row["prompt"]) == Chat(MODEL).token_ids(row["prompt"])
    assert chat.fingerprint() == before == Chat(MODEL).fingerprint()


@pytest.mark.parametrize(
    ("gone", "reason"),
    [
        ("config.json", "the folder has no config.json, so there is no model in it"),
        ("tokenizer.json", "the folder has no tokenizer"),
    ],
)
def test_a_folder_without_its_files_is_told(gone: str, reason: str, copy: Path) -> None:
    (copy / gone).unlink()
    with pytest.raises(GenerationError, match=reason):
        Chat(str(copy))


@pytest.mark.parametrize("model", ["./model", "runs/sft/model", "/no/such", "~/nowhere", "tests/nothing"])
def test_a_folder_that_is_not_there_is_told_without_asking_the_network(model: str) -> None:
    with pytest.raises(GenerationError, match="there is no such folder"):
        Chat(model)


def test_a_tokenizer_without_a_chat_template_is_told(copy: Path) -> None:
    change(copy / "tokenizer_config.json", chat_template=None)
    with pytest.raises(GenerationError, match="no chat template"):
        Chat(str(copy))


def test_a_configuration_that_cannot_be_read_is_told(copy: Path) -> None:
    (copy / "config.json").write_text("{", encoding="utf-8")
    with pytest.raises(GenerationError, match=str(copy)):
        Chat(str(copy))


def test_a_template_that_refuses_a_chat_is_told(copy: Path) -> None:
    change(copy / "tokenizer_config.json", chat_template="{{ raise_exception('no system, please') }}")
    with pytest.raises(GenerationError, match="its chat template refuses the prompt: no system, please"):
        Chat(str(copy)).token_ids([{"role": "system", "content": ""}])

"""Which pages a model sees: all that fit, the newest first to stay, and every answer under its own page."""

from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reward_server.reward.action import Action, read_label
from tests.trainer.sessions.support import SPACE, located, step
from trainer.sessions.context import Layout, Shown
from trainer.sessions.tokens import TokenizerError, load_tokenizer

CLICK = {"type": "click", "name": "a"}


def session_of(*pages: str | None) -> Any:
    steps = [step(page, CLICK, rationale="Because.") for page in pages]
    return located({"session": "s", "steps": steps}).session


def shown(*pages: str | None, rationales: bool = False, **layout: Any) -> Shown:
    session = session_of(*pages)
    actions: list[Action] = [read_label(item.action, SPACE).action for item in session.steps]
    told = [item.rationale if rationales else None for item in session.steps]
    return Shown(session, actions, told, set(), Layout(SPACE, **layout))


def chat_length(messages: list[Any]) -> int:
    """Characters of a chat in ChatML, written out again on purpose."""
    return sum(len(f"<|im_start|>{m['role']}\n{m['content']}<|im_end|>\n") for m in messages)


def contents(messages: list[Any]) -> list[str]:
    return [message["content"] for message in messages[1:]]


def test_a_prompt_is_every_page_interleaved_with_what_was_done_on_it() -> None:
    parts = shown("<p>1</p>", "<p>2</p>", "<p>3</p>")
    window = parts.prompt_window(2)
    assert window is not None
    messages = parts.messages(window, with_answer=False)
    assert [message["role"] for message in messages] == ["system", "user", "assistant", "user", "assistant", "user"]
    action = '{"action": {"type": "click", "name": "a"}}'
    assert contents(messages) == ["Page:\n<p>1</p>", action, "Page:\n<p>2</p>", action, "Page:\n<p>3</p>"]


def test_a_prompt_knows_nothing_of_what_comes_after() -> None:
    parts = shown("<p>1</p>", "<p>2</p>", "<p>3</p>")
    window = parts.prompt_window(1)
    assert window is not None
    assert contents(parts.messages(window, with_answer=False))[-1] == "Page:\n<p>2</p>"
    assert "3" not in str(contents(parts.messages(window, with_answer=False)))


def test_the_latest_step_alone_shows_one_page_and_every_action() -> None:
    parts = shown("<p>1</p>", "<p>2</p>", "<p>3</p>", scope="latest-step")
    window = parts.prompt_window(2)
    assert window is not None
    (only,) = contents(parts.messages(window, with_answer=False))
    assert "<p>1</p>" not in only
    assert "<p>2</p>" not in only
    assert only.endswith("\n\nPage:\n<p>3</p>")
    assert '1. {"type": "click", "name": "a"}\n2. {"type": "click", "name": "a"}\n' in only
    assert parts.pages_dropped(window) == 2


def test_the_oldest_page_goes_first_and_its_action_stays() -> None:
    pages = [f"<p>{'x' * 1_000}{number}</p>" for number in range(4)]
    whole = shown(*pages).prompt_window(3)
    assert whole is not None
    parts = shown(*pages, budget=whole.length - 1)
    window = parts.prompt_window(3)
    assert window is not None
    assert (window.first, window.last) == (1, 3)
    assert parts.pages_dropped(window) == 1
    first = contents(parts.messages(window, with_answer=False))[0]
    assert first.startswith("What you did before, on pages not shown here:\n1. {")
    assert first.endswith(pages[1])


def test_a_budget_of_just_the_length_is_enough_and_one_less_is_not() -> None:
    alone = shown("<p>1</p>").prompt_window(0)
    assert alone is not None
    assert shown("<p>1</p>", budget=alone.length).prompt_window(0) == alone
    assert shown("<p>1</p>", budget=alone.length - 1).prompt_window(0) is None


@given(
    st.lists(st.text("ab<>", min_size=1, max_size=200), min_size=1, max_size=6),
    st.integers(1_500, 3_500),
    st.booleans(),
    st.sampled_from(["whole-session", "latest-step"]),
)
def test_no_prompt_is_over_the_budget_and_its_length_is_told_rightly(
    pages: list[str], budget: int, rationales: bool, scope: Any
) -> None:
    parts = shown(*pages, budget=budget, rationales=rationales, scope=scope)
    for index in range(len(pages)):
        window = parts.prompt_window(index)
        if window is None:
            continue
        messages = parts.messages(window, with_answer=False)
        assert chat_length(messages) + len("<|im_start|>assistant\n") == window.length <= budget
        assert messages[-1]["content"].endswith(pages[index])


@given(
    st.lists(st.text("ab<>", min_size=1, max_size=300), min_size=1, max_size=8),
    st.integers(1_500, 3_500),
    st.sets(st.integers(0, 7)),
    st.sampled_from(["whole-session", "latest-step"]),
)
def test_a_session_in_pieces_has_each_target_once_under_its_own_page(
    pages: list[str], budget: int, skipped: set[int], scope: Any
) -> None:
    parts = shown(*pages, budget=budget, rationales=True, scope=scope)
    targets = [index for index in range(len(pages)) if index not in skipped]
    windows, left_out = parts.session_windows(targets)
    covered = [index for window in windows for index in range(window.first, window.last + 1)]
    assert sorted(covered + left_out) == targets
    for window in windows:
        messages = parts.messages(window, with_answer=True)
        assert chat_length(messages) == window.length <= budget
        answers = [message for message in messages if message["role"] == "assistant"]
        assert len(answers) == window.last - window.first + 1
        for number, index in enumerate(range(window.first, window.last + 1)):
            assert messages[1 + 2 * number]["content"].endswith(pages[index])


def test_a_session_without_a_limit_is_one_chat() -> None:
    assert [w[:2] for w in shown("<p>1</p>", "<p>2</p>", "<p>3</p>").session_windows([0, 1, 2])[0]] == [(0, 2)]


def test_a_step_that_is_no_target_parts_the_chats_and_stays_known() -> None:
    parts = shown("<p>1</p>", "<p>2</p>", "<p>3</p>", rationales=True)
    windows, _ = parts.session_windows([0, 2])
    assert [window[:2] for window in windows] == [(0, 0), (2, 2)]
    assert "1. {" in contents(parts.messages(windows[1], with_answer=True))[0]


def test_a_page_that_was_not_recorded_is_never_shown() -> None:
    parts = shown(None, "<p>2</p>", "<p>3</p>")
    window = parts.prompt_window(2)
    assert window is not None
    assert window.first == 1
    assert parts.pages_dropped(window) == 0


def qwen_like_tokenizer(folder: Path) -> Path:
    """A byte-level BPE that splits text as Qwen's does, with ChatML's control tokens."""
    from tokenizers import Regex, Tokenizer, decoders, models, pre_tokenizers, trainers

    pattern = (
        r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+"
        r"|\s+(?!\S)|\s+"
    )
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence(
        [
            pre_tokenizers.Split(Regex(pattern), "isolated"),
            pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False),
        ]
    )
    tokenizer.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=600,
        special_tokens=["<|endoftext|>", "<|im_start|>", "<|im_end|>"],
        show_progress=False,
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
    )
    tokenizer.train_from_iterator(
        ["What you did before, on pages not shown here:\n1. <a>\n\nPage:\n<p>a</p>\n"] * 9, trainer
    )
    tokenizer.save(str(folder / "tokenizer.json"))
    return folder


def test_tokens_are_counted_piece_by_piece_as_the_tokenizer_counts_the_whole(tmp_path: Path) -> None:
    from tokenizers import Tokenizer

    folder = qwen_like_tokenizer(tmp_path)
    whole = Tokenizer.from_file(str(folder / "tokenizer.json"))
    for scope in ("whole-session", "latest-step"):
        parts = shown("<p>a  b</p>\n", "<div>é</div>", "\n<p>c", measure=load_tokenizer(folder), scope=scope)
        for index in range(3):
            window = parts.prompt_window(index)
            assert window is not None
            text = "".join(
                f"<|im_start|>{m['role']}\n{m['content']}<|im_end|>\n"
                for m in parts.messages(window, with_answer=False)
            )
            ids = whole.encode(f"{text}<|im_start|>assistant\n", add_special_tokens=False).ids
            assert window.length == len(ids)


def test_a_tokenizer_that_is_none_is_named(tmp_path: Path) -> None:
    (tmp_path / "tokenizer.json").write_text("{}")
    for path in (tmp_path, tmp_path / "tokenizer.json", tmp_path / "absent.json"):
        with pytest.raises(TokenizerError, match="json"):
            load_tokenizer(path)

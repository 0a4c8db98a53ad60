"""The engine against transformers' own `generate`, one prompt at a time, without padding."""

import json
import shutil
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file, save_file
from tokenizers import Tokenizer
from transformers import Qwen2ForCausalLM

from tests.trainer.generation.support import LONGEST_ANSWER, MODEL, as_row, rl_rows
from trainer.generation.chat import Chat
from trainer.generation.completions import generate
from trainer.generation.engine import Prompt
from trainer.generation.errors import GenerationError
from trainer.generation.sampling import Sampling
from trainer.generation.transformers_engine import TransformersEngine
from trainer.tiny_model.tokenizer import END_OF_TURN, render

pytestmark = pytest.mark.usefixtures("one_thread")

GREEDY = Sampling(max_new_tokens=LONGEST_ANSWER)


@pytest.fixture(scope="module")
def chat() -> Chat:
    return Chat(MODEL)


@pytest.fixture(scope="module")
def engine(chat: Chat) -> Iterator[TransformersEngine]:
    engine = TransformersEngine(chat)
    yield engine
    engine.close()


@pytest.fixture(scope="module")
def plain() -> Qwen2ForCausalLM:
    return Qwen2ForCausalLM.from_pretrained(MODEL, dtype=torch.float32)


@torch.inference_mode()
def plain_answer(model: Qwen2ForCausalLM, prompt: str) -> str:
    tokenizer = Tokenizer.from_file(f"{MODEL}/tokenizer.json")
    ids = torch.tensor([tokenizer.encode(prompt).ids])
    written = model.generate(input_ids=ids, max_new_tokens=LONGEST_ANSWER, do_sample=False)  # type: ignore[misc]
    return tokenizer.decode(written[0, ids.shape[1] :].tolist(), skip_special_tokens=False).split(END_OF_TURN)[0]


def answers(chat: Chat, engine: TransformersEngine, sampling: Sampling, number: int = 12) -> list[list[str]]:
    rows = [as_row(row, line) for line, row in enumerate(rl_rows(number), 1)]
    return [texts for _, texts in generate(rows, chat, engine, sampling)]


def test_greedy_completions_are_those_of_plain_generate_in_the_rows_order(
    chat: Chat, engine: TransformersEngine, plain: Qwen2ForCausalLM
) -> None:
    found = [text for (text,) in answers(chat, engine, GREEDY)]
    expected = [plain_answer(plain, render(row["prompt"])) for row in rl_rows(12)]
    assert len(set(expected)) > 6
    # Padding changes last bits, so that a tie may fall the other way on some machine.
    assert sum(ours == theirs for ours, theirs in zip(found, expected, strict=True)) >= 11


def test_greedy_samples_are_one_and_the_same(chat: Chat, engine: TransformersEngine) -> None:
    (once,) = answers(chat, engine, GREEDY, 1)
    assert answers(chat, engine, GREEDY._replace(samples=3), 1) == [once * 3]


def test_a_completion_ends_at_the_most_tokens(chat: Chat, engine: TransformersEngine) -> None:
    prompt = Prompt(chat.token_ids(rl_rows(1)[0]["prompt"]), 1)
    assert [len(ids) for ids in engine.generate([prompt], Sampling(max_new_tokens=3))[0]] == [3]


def test_the_same_seed_draws_the_same_and_another_draws_others(chat: Chat, engine: TransformersEngine) -> None:
    sampling = Sampling(temperature=1.0, max_new_tokens=LONGEST_ANSWER, samples=2)
    first = answers(chat, engine, sampling, 3)
    torch.manual_seed(1)
    assert answers(chat, engine, sampling, 3) == first
    assert answers(chat, engine, sampling._replace(seed=1), 3) != first
    assert any(one != other for one, other in first)


def test_nothing_is_written_with_the_attention_that_rounds_differently_each_time(
    engine: TransformersEngine, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[bool] = []
    forward = Qwen2ForCausalLM.forward

    def watched(*arguments: Any, **options: Any) -> Any:
        seen.append(torch.backends.cuda.cudnn_sdp_enabled())
        return forward(*arguments, **options)

    monkeypatch.setattr(engine._model, "forward", watched.__get__(engine._model))
    before = torch.backends.cuda.cudnn_sdp_enabled()
    engine.generate([Prompt([5, 6, 7], 1)], Sampling(max_new_tokens=3))
    assert seen == [False] * 3
    assert torch.backends.cuda.cudnn_sdp_enabled() is before


def test_rows_with_one_prompt_do_not_draw_the_same(chat: Chat, engine: TransformersEngine) -> None:
    ids = chat.token_ids(rl_rows(1)[0]["prompt"])
    drawn = engine.generate([Prompt(ids, line) for line in range(1, 9)], Sampling(temperature=1.0, max_new_tokens=24))
    assert len({tuple(ids) for (ids,) in drawn}) > 1


@pytest.mark.parametrize("temperature", [0.6, 1.0, 1.5])
def test_tokens_are_drawn_from_the_whole_distribution_at_the_temperature(
    temperature: float, chat: Chat, engine: TransformersEngine, plain: Qwen2ForCausalLM
) -> None:
    prompt = f'{END_OF_TURN}\n<|im_start|>assistant\n{{"rationale": "I'
    ids = Tokenizer.from_file(f"{MODEL}/tokenizer.json").encode(prompt).ids
    with torch.inference_mode():
        expected = torch.softmax(plain(torch.tensor([ids])).logits[0, -1] / temperature, dim=0)
    (drawn,) = engine.generate([Prompt(ids, 1)], Sampling(temperature=temperature, max_new_tokens=1, samples=2000))
    counts = Counter(token for (token,) in drawn)
    shares = torch.tensor([counts[token] / 2000 for token in range(len(expected))])
    # A share's standard deviation is at most sqrt(1/4/2000) = 0.011; five of them.
    assert float((shares - expected).abs().max()) < 0.056
    assert abs(float((shares * expected.log()).sum()) - float((expected * expected.log()).sum())) < 0.15


def test_the_models_own_sampling_settings_count_for_nothing(
    chat: Chat, engine: TransformersEngine, tmp_path: Path
) -> None:
    folder = Path(shutil.copytree(MODEL, tmp_path / "model"))
    own = {"do_sample": True, "top_k": 1, "repetition_penalty": 5.0, "eos_token_id": 2, "max_length": 20}
    (folder / "generation_config.json").write_text(json.dumps(own), encoding="utf-8")
    other = Chat(str(folder))
    loaded = TransformersEngine(other)
    for sampling in (GREEDY, Sampling(temperature=1.0, max_new_tokens=LONGEST_ANSWER)):
        assert answers(other, loaded, sampling, 2) == answers(chat, engine, sampling, 2)


def test_weights_that_are_missing_are_not_made_up(tmp_path: Path) -> None:
    folder = Path(shutil.copytree(MODEL, tmp_path / "model"))
    weights = load_file(folder / "model.safetensors")
    del weights["model.norm.weight"]
    save_file(weights, folder / "model.safetensors", metadata={"format": "pt"})
    with pytest.raises(GenerationError, match=r"its files lack 1 of its weights, such as model\.norm\.weight"):
        TransformersEngine(Chat(str(folder)))


def test_weights_that_cannot_be_loaded_are_told(tmp_path: Path) -> None:
    folder = Path(shutil.copytree(MODEL, tmp_path / "model"))
    (folder / "model.safetensors").unlink()
    with pytest.raises(GenerationError, match=r"model: .*model\.safetensors"):
        TransformersEngine(Chat(str(folder)))

"""What is fuzzed: bytes in, silence or an AssertionError out; whatever else is raised is a bug as well.

`completion` reads and scores a model's text. `native` and `openrlhf` take the body of a request all the way to its
answer, without the socket.
"""

import asyncio
from collections.abc import Callable, Sequence
from math import fsum, isclose, isfinite
from typing import Any, TypeVar
from zlib import crc32

import orjson
from pydantic import ValidationError

from reward_server import wire
from reward_server.certainty.rollout import RolloutSource
from reward_server.decoding import DecodeError, decode, pointer
from reward_server.reward.action import read_label
from reward_server.reward.completion import Completion, InvalidError, Reason, parse, read
from reward_server.reward.explain import explain
from reward_server.reward.score import ScoreCard, prepare, score
from reward_server.reward.spec import RewardSpec, load_preset, read_spec
from reward_server.scoring import BatchError, Scored, Scorer
from reward_server.service import native as native_dialect
from reward_server.service import openrlhf as openrlhf_dialect
from reward_server.service.dialect import Dialect
from reward_server.service.limits import check_depth
from reward_server.service.problems import Problem
from reward_server.settings import Settings

PLAIN = load_preset("shop-r1-no-rationale")
CERTAIN = load_preset("shop-r1")
LENIENT = read_spec(
    'extends = "shop-r1-no-rationale"\nname = "lenient"\nformat.mode = "fenced"\n'
    'similarity.tokenizer = "unicode"\nsimilarity.threshold = 0.0',
    "fuzzing",
)
"""What the presets leave out: a fence, the other tokenizer, credit for the least similarity."""

LABELS = (
    {"type": "click", "name": "add_to_cart.buy_now"},
    {"type": "type_and_submit", "name": "search_input", "text": "Kabellose Mäuse für 価格 gaming"},
    {"type": "terminate"},
)

T = TypeVar("T")

_SETTINGS = Settings(max_rollouts=64, max_field_chars=4_096)
_SCORERS = (Scorer(PLAIN, None), Scorer(LENIENT, None), Scorer(CERTAIN, RolloutSource()))
_LOOP = asyncio.Runner()
_SOME_NATS = 5.0


def completion(data: bytes) -> None:
    """A model's text: the quick way of reading it agrees with the strict one, and its parts add up to its reward."""
    text = data.decode(errors="surrogateescape")
    spec = _one_of((PLAIN, LENIENT, CERTAIN), data)
    outcome = parse(text, spec)
    in_full = _read_in_full(text, spec)
    assert outcome == (in_full.reason if isinstance(in_full, InvalidError) else in_full)
    target = prepare(read_label(_one_of(LABELS, data[1:]), spec.action_space), spec)
    card = score(outcome, target, _SOME_NATS)
    _check(card)
    explained = fsum(line.earned or 0.0 for line in explain(in_full, target, _SOME_NATS, spec))
    assert isclose(explained, card.reward, rel_tol=1e-12, abs_tol=1e-12)


def native(data: bytes) -> None:
    """The body of a native request."""
    _answer(data, native_dialect, "rollouts")


def openrlhf(data: bytes) -> None:
    """The body of OpenRLHF's request, or a prompt, a zero byte and a query; no query loses a character."""
    request = _answer(data if data[:1] == b"{" else _request(data), openrlhf_dialect, "query")
    if request is None:
        return
    for query, prompt, rollout in zip(
        request.query, request.prompts, openrlhf_dialect.to_rollouts(request, _SETTINGS), strict=True
    ):
        assert f"{rollout.prompt}{rollout.completion}" == query
        assert not query.startswith(prompt) or rollout.prompt == prompt


TARGETS: dict[str, Callable[[bytes], None]] = {"completion": completion, "native": native, "openrlhf": openrlhf}


def _one_of(choices: Sequence[T], data: bytes) -> T:
    """Chosen by the input alone, so that an input that fails fails again."""
    return choices[crc32(data) % len(choices)]


def _read_in_full(text: str, spec: RewardSpec) -> Completion | InvalidError:
    try:
        return read(text, spec)
    except InvalidError as error:
        return error


def _request(data: bytes) -> bytes:
    prompt, _, query = data.decode(errors="ignore").partition("\0")
    return orjson.dumps({"query": [query], "prompts": [prompt], "labels": [LABELS[0]]})


def _answer(body: bytes, dialect: Dialect, key: str) -> Any:
    """What the routes do with a body; its message, where that can be scored."""
    try:
        message = decode(body)
    except DecodeError as error:
        orjson.dumps((error.pointer, error.reason))
        return None
    if not isinstance(message, dict) or key not in message:
        return None
    try:
        dialect.count(message, _SETTINGS)
        check_depth(message, dialect.flat, _SETTINGS)
        request = dialect.request_type.model_validate(message)
        rollouts = dialect.to_rollouts(request, _SETTINGS)
    except ValidationError as error:
        orjson.dumps([(pointer(item["loc"]), item["msg"]) for item in error.errors(include_url=False)])
        return None
    except Problem as problem:
        problem.response()
        return None
    _score(_one_of(_SCORERS, body), dialect, rollouts)
    return request


def _score(scorer: Scorer, dialect: Dialect, rollouts: Sequence[wire.Rollout]) -> None:
    try:
        scored = _LOOP.run(scorer.score(rollouts))
    except BatchError as error:
        orjson.dumps([(pointer(dialect.locate(fault)), fault.reason) for fault in error.faults])
        return
    orjson.dumps(dialect.reply(rollouts, scored, scorer.spec))
    for rollout, item in zip(rollouts, scored, strict=True):
        _check(item.card)
        assert _certainty_is_bounded(item)
        alone = _LOOP.run(scorer.score([rollout]))
        assert alone == [item], "a rollout's company changed its reward"


def _check(card: ScoreCard) -> None:
    assert isfinite(card.reward)
    assert 0 <= card.score <= 1
    assert fsum(card.terms) == card.reward
    assert (card.action is None) == isinstance(card.reason, Reason)
    assert card.action is not None or card.reward == 0


def _certainty_is_bounded(item: Scored) -> bool:
    return item.certainty is None or item.certainty.lower <= item.certainty.value <= item.certainty.upper

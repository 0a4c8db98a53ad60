"""What a request leaves behind: nothing that only the garbage collector would find; its body is gone at once."""

import asyncio
import gc
import json
from collections.abc import Iterator
from types import FrameType
from typing import Any

import pytest
from starlette.types import ASGIApp, Message

from reward_server.service.app import create_app
from reward_server.service.state import create_state, read_specs
from reward_server.settings import Settings

PAGE = "<p>shoes</p>" * 2_000
ANSWER = json.dumps({"rationale": "I like it.", "action": {"type": "terminate"}})
LABEL = {"type": "terminate"}
PLAIN = Settings(spec="shop-r1-no-rationale", certainty="none")
# Nobody listens on this port.
VLLM_AWAY = Settings(spec="shop-r1", certainty="vllm", certainty_url="http://127.0.0.1:9", patience=0.2)


def stock(completion: str = ANSWER, label: object = LABEL) -> dict[str, Any]:
    return {"query": [PAGE + completion], "prompts": [PAGE], "labels": [label]}


def native(completion: object = ANSWER, label: object = LABEL) -> dict[str, Any]:
    return {"rollouts": [{"prompt": PAGE, "completion": completion, "label": label}]}


CASES: dict[str, tuple[Settings, bytes, int]] = {
    "stock": (PLAIN, json.dumps(stock()).encode(), 200),
    "stock, bad label": (PLAIN, json.dumps(stock(label="{")).encode(), 422),
    "native": (PLAIN, json.dumps(native()).encode(), 200),
    "native, bad label": (PLAIN, json.dumps(native(label={"type": "fly"})).encode(), 422),
    "native, bad field": (PLAIN, json.dumps(native(completion=5)).encode(), 422),
    "too deep": (PLAIN, json.dumps(native(label=json.loads("[" * 100 + "]" * 100))).encode(), 422),
    "not JSON": (PLAIN, json.dumps(stock()).encode()[:-2], 422),
    "stock, vLLM away": (VLLM_AWAY, json.dumps(stock()).encode(), 503),
    "native, vLLM away": (VLLM_AWAY, json.dumps(native()).encode(), 503),
}


@pytest.fixture(autouse=True)
def all_garbage_is_kept() -> Iterator[None]:
    gc.collect()
    gc.disable()
    gc.set_debug(gc.DEBUG_SAVEALL)
    yield
    gc.set_debug(0)
    gc.garbage.clear()
    gc.enable()


@pytest.mark.parametrize("name", CASES)
def test_a_request_leaves_no_garbage(name: str) -> None:
    settings, body, status = CASES[name]

    async def story() -> tuple[list[int], list[object]]:
        app = create_app(create_state(settings, read_specs(settings)))
        # What is made once is not a request's.
        await ask(app, body)
        gc.collect()
        gc.garbage.clear()
        statuses = [await ask(app, body) for _ in range(3)]
        gc.collect()
        return statuses, list(gc.garbage)

    statuses, left = asyncio.run(story())
    assert statuses == [status] * 3
    assert [each.f_code.co_qualname for each in left if isinstance(each, FrameType)] == []
    assert [each for each in left if PAGE in str(each)] == []


async def ask(app: ASGIApp, body: bytes) -> int:
    """The status of the answer."""
    message = iter([{"type": "http.request", "body": body}])
    status = []

    async def receive() -> Message:
        for each in message:
            return each
        return await asyncio.get_running_loop().create_future()  # type: ignore[no-any-return]

    async def send(message: Message) -> None:
        if message["type"] == "http.response.start":
            status.append(message["status"])

    headers = [(b"host", b"a"), (b"content-length", b"%d" % len(body))]
    scope = {"type": "http", "method": "POST", "path": "/score", "query_string": b"", "headers": headers}
    await app(scope, receive, send)
    return int(status[0])

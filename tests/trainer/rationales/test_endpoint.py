"""The endpoint's faults, over a real socket: what is tried again, what costs a step, and what ends a run."""

import asyncio
import socket

import pytest

from tests.trainer.rationales.endpoints import (
    Behaviour,
    Endpoint,
    Hang,
    Reply,
    Reset,
    answering,
    completion,
    endpoint,
    error,
)
from trainer.rationales.answer import Answer, Failure
from trainer.rationales.endpoint import EndpointError, EndpointSettings, Unanswered, open_endpoint
from trainer.sessions.prompt import Message

KEY = "sk-very-secret-key"
MESSAGES: list[Message] = [{"role": "system", "content": "Explain."}, {"role": "user", "content": "A page."}]
GOOD = completion("I need a hat.")
FAST_RETRY = {"Retry-After-Ms": "1"}


def settings(url: str, **fields: object) -> EndpointSettings:
    return EndpointSettings(**{"base_url": url, "model": "a-model", "retries": 2, "timeout": 20.0, **fields})


def ask(asked: EndpointSettings) -> Answer:
    async def run() -> Answer:
        async with open_endpoint(asked) as opened:
            return await opened.ask(MESSAGES)

    return asyncio.run(run())


def ask_a_server_that(*behaviours: Behaviour, **fields: object) -> tuple[Answer, Endpoint]:
    """Ask a server that behaves so, one after the other; the last goes on."""
    with endpoint(lambda _, number: behaviours[min(number, len(behaviours) - 1)]) as server:
        return ask(settings(server.url, **fields)), server


def test_what_is_asked_is_what_the_settings_say() -> None:
    answer, server = ask_a_server_that(GOOD, temperature=0.3, max_tokens=40)
    assert answer == ("I need a hat.", None, "", 100, 10)
    assert server.seen[0].body == {"model": "a-model", "messages": MESSAGES, "temperature": 0.3, "max_tokens": 40}


@pytest.mark.parametrize(("key", "sent"), [(KEY, f"Bearer {KEY}"), (None, "Bearer none")])
def test_the_key_is_sent_and_none_is_needed(monkeypatch: pytest.MonkeyPatch, key: str | None, sent: str) -> None:
    monkeypatch.delenv("OPENAI_API_KEY", raising=False)
    _, server = ask_a_server_that(GOOD, api_key=key)
    assert server.seen[0].key == sent


@pytest.mark.parametrize("status", [408, 409, 429, 500, 502, 503])
def test_a_fault_that_may_pass_is_tried_again(status: int) -> None:
    answer, server = ask_a_server_that(error(status, "later", **FAST_RETRY), error(status, "later", **FAST_RETRY), GOOD)
    assert answer.rationale == "I need a hat."
    assert server.requests == 3


def test_a_lost_connection_is_tried_again() -> None:
    answer, server = ask_a_server_that(Reset(), GOOD)
    assert answer.rationale == "I need a hat."
    assert server.requests == 2


def test_a_server_that_hangs_is_given_up_and_tried_again() -> None:
    answer, server = ask_a_server_that(Hang(), GOOD, timeout=0.3)
    assert answer.rationale == "I need a hat."
    assert server.requests == 2


def test_the_time_that_a_server_asks_for_is_given() -> None:
    _, server = ask_a_server_that(error(429, "slow down", **{"Retry-After": "1"}), GOOD)
    first, second = server.seen
    # The client's own first pause is half a second at most.
    assert second.at - first.at >= 1


@pytest.mark.parametrize(
    ("behaviour", "failure", "reason"),
    [
        (error(429, "slow down", **FAST_RETRY), Failure.RATE_LIMITED, "slow down"),
        (error(500, "it broke", **FAST_RETRY), Failure.SERVER_ERROR, "500: it broke"),
        (Reply(b"<h1>Bad gateway</h1>", 502, FAST_RETRY), Failure.SERVER_ERROR, "502: <h1>Bad gateway</h1>"),
        (Reset(), Failure.CONNECTION_LOST, "closed the connection"),
        (Hang(), Failure.TIMED_OUT, "no answer within 0.3 s"),
    ],
)
def test_a_fault_that_lasts_costs_the_step(behaviour: Behaviour, failure: Failure, reason: str) -> None:
    with endpoint(lambda _, number: behaviour) as server, pytest.raises(Unanswered, match=reason) as raised:
        ask(settings(server.url, retries=1, timeout=0.3 if isinstance(behaviour, Hang) else 20))
    assert raised.value.failure is failure
    assert server.requests == 2


@pytest.mark.parametrize(
    ("status", "body", "said"),
    [
        (401, b'{"error": {"message": "Incorrect API key provided: sk-very-secret-key."}}', r"\[the key\]"),
        (401, b'{"detail": "bad key sk-very-secret-key"}', r"\[the key\]"),
        (401, b'{"error": "Unauthorized"}', r": Unauthorized$"),
        (403, b"", "no reason given"),
        (404, b'{"error": {"message": "The model `a-model` does not exist."}}', "`a-model` does not exist"),
    ],
)
def test_a_request_that_is_refused_ends_the_run_in_the_servers_words(status: int, body: bytes, said: str) -> None:
    reply = Reply(body, status)
    with endpoint(lambda _, number: reply) as server, pytest.raises(EndpointError, match=said) as raised:
        ask(settings(server.url, api_key=KEY))
    assert str(raised.value).startswith(f"{server.url} refuses the request ({status}): ")
    assert KEY not in str(raised.value)
    assert server.requests == 1


@pytest.mark.parametrize(
    ("status", "body", "said"),
    [
        (400, b'{"error": {"message": "too many tokens"}}', "400: too many tokens"),
        (413, b"too large", "413: too large"),
        (422, b'{"detail": [{"msg": "field required"}]}', "field required"),
    ],
)
def test_a_request_that_is_turned_down_for_itself_costs_the_step(status: int, body: bytes, said: str) -> None:
    with endpoint(lambda _, number: Reply(body, status)) as server, pytest.raises(Unanswered, match=said) as raised:
        ask(settings(server.url))
    assert raised.value.failure is Failure.REJECTED
    assert server.requests == 1


def test_a_port_that_nobody_listens_on_ends_the_run() -> None:
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{closed.getsockname()[1]}/v1"
        with pytest.raises(EndpointError, match=f"{url} cannot be reached"):
            ask(settings(url, retries=1))


@pytest.mark.parametrize(
    "reply",
    [
        Reply(b"<html>Welcome</html>", headers={"Content-Type": "text/html"}),
        Reply(b"{half", headers={"Content-Type": "application/json"}),
        Reply(b'{"choices": null}'),
        Reply(b"\xff\xfe\x00"),
    ],
)
def test_garbage_is_an_answer_that_cannot_be_used(reply: Reply) -> None:
    answer, server = ask_a_server_that(reply)
    assert answer.failure is Failure.NOT_A_COMPLETION
    assert server.requests == 1


def test_a_server_that_sends_a_byte_now_and_then_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    # The whole of the tries may take (0 + 1) * (0.1 + the longest wait): the wait is made short for the test.
    monkeypatch.setattr("trainer.rationales.endpoint._LONGEST_WAIT_BETWEEN_TRIES", 0.4)
    with socket.create_server(("127.0.0.1", 0)) as dripping:
        url = f"http://127.0.0.1:{dripping.getsockname()[1]}/v1"

        async def drip() -> None:
            loop = asyncio.get_running_loop()
            dripping.setblocking(False)
            connection, _ = await loop.sock_accept(dripping)
            with connection:
                for byte in b"HTTP/1.1 200 OK\r\n" + b"X-A: b\r\n" * 1_000:
                    await loop.sock_sendall(connection, bytes([byte]))
                    await asyncio.sleep(0.02)

        async def run() -> None:
            async with open_endpoint(settings(url, retries=0, timeout=0.1)) as opened:
                dripped = asyncio.create_task(drip())
                with pytest.raises(Unanswered, match="no answer within"):
                    await opened.ask(MESSAGES)
                dripped.cancel()

        asyncio.run(run())


def test_an_address_is_shown_without_what_is_secret_in_it() -> None:
    assert settings("http://user:pass@host:8000/v1").address == "http://host:8000/v1"
    assert KEY not in repr(settings("http://host/v1", api_key=KEY))


def test_many_questions_share_the_client() -> None:
    async def run(url: str) -> list[Answer]:
        async with open_endpoint(settings(url)) as opened:
            return await asyncio.gather(*(opened.ask(MESSAGES) for _ in range(50)))

    with endpoint(answering) as server:
        answers = asyncio.run(run(server.url))
    assert len({answer.rationale for answer in answers}) == 1
    assert server.requests == 50

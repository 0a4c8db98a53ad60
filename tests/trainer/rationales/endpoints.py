"""Endpoints for the tests: a server on a real socket that answers chat completions, and fails as it is told to."""

import json
import socket
import struct
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from hashlib import sha256
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Event, Lock, Thread
from time import monotonic
from typing import Any


@dataclass
class Reply:
    """What the server sends back."""

    body: bytes
    status: int = 200
    headers: dict[str, str] = field(default_factory=lambda: {"Content-Type": "application/json"})
    delay: float = 0.0
    """Seconds before it is sent."""


@dataclass
class Hang:
    """No answer until the test is over."""


@dataclass
class Reset:
    """The connection is torn down."""


Behaviour = Reply | Hang | Reset


@dataclass
class Seen:
    """A request that came."""

    at: float
    """When, on a clock of its own."""
    body: dict[str, Any]
    key: str | None


def completion(
    text: str | None, finish_reason: str = "stop", usage: dict[str, Any] | None = None, **message: Any
) -> Reply:
    """A chat completion; by default of 100 tokens in and 10 out."""
    body = {
        "id": "chat-1",
        "object": "chat.completion",
        "created": 1,
        "model": "m",
        "choices": [
            {
                "index": 0,
                "finish_reason": finish_reason,
                "message": {"role": "assistant", "content": text, **message},
            }
        ],
        "usage": {"prompt_tokens": 100, "completion_tokens": 10, "total_tokens": 110} if usage is None else usage,
    }
    return Reply(json.dumps(body).encode())


def error(status: int, message: str, **headers: str) -> Reply:
    """An error as OpenAI's API tells it."""
    body = {"error": {"message": message, "type": "an_error", "param": None, "code": None}}
    return Reply(json.dumps(body).encode(), status, {"Content-Type": "application/json", **headers})


def sentence(body: dict[str, Any]) -> str:
    """A rationale that is another for every question, and the same for the same."""
    return f"I do it for reason {sha256(json.dumps(body['messages']).encode()).hexdigest()[:12]}."


def answering(body: dict[str, Any], number: int) -> Behaviour:
    """Answers every question."""
    return completion(sentence(body))


class Endpoint(ThreadingHTTPServer):
    """The server. `behaviour` gets a request's body and its number, from 0, and says what happens."""

    daemon_threads = True
    request_queue_size = 256

    def __init__(self, behaviour: Callable[[dict[str, Any], int], Behaviour]) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.behaviour = behaviour
        self.seen: list[Seen] = []
        self.in_flight = 0
        self.most_in_flight = 0
        self.over = Event()
        self.lock = Lock()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_port}/v1"

    @property
    def requests(self) -> int:
        return len(self.seen)

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A client that goes away is part of the tests."""


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    server: Endpoint

    def do_POST(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        server = self.server
        with server.lock:
            number = server.requests
            server.seen.append(Seen(monotonic(), body, self.headers["Authorization"]))
            server.in_flight += 1
            server.most_in_flight = max(server.most_in_flight, server.in_flight)
        behaviour = server.behaviour(body, number)
        if isinstance(behaviour, Reply):
            server.over.wait(behaviour.delay)
        elif isinstance(behaviour, Hang):
            server.over.wait()
        # Before the answer leaves: the client's next question may come before this thread goes on.
        with server.lock:
            server.in_flight -= 1
        self._behave(behaviour)

    def _behave(self, behaviour: Behaviour) -> None:
        match behaviour:
            case Reply():
                self.send_response(behaviour.status)
                for name, value in behaviour.headers.items():
                    self.send_header(name, value)
                self.send_header("Content-Length", str(len(behaviour.body)))
                self.end_headers()
                self.wfile.write(behaviour.body)
            case Hang():
                self.close_connection = True
            case Reset():
                # Linger for no time: the client gets a reset, not an end.
                self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
                self.connection.close()
                self.close_connection = True

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002
        """Not on the tests' output."""


@contextmanager
def endpoint(behaviour: Callable[[dict[str, Any], int], Behaviour] = answering) -> Iterator[Endpoint]:
    """A running server."""
    with Endpoint(behaviour) as server:
        thread = Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        try:
            yield server
        finally:
            server.over.set()
            server.shutdown()
            thread.join()

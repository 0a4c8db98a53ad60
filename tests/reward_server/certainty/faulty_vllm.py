"""A server with vLLM's routes and every fault it can have, on a real socket. A test scripts which fault, and when.

For faults and plumbing only: its certainties are made up from the token ids, so that a test can tell whose they are.
What vLLM really answers is tested against vLLM, in tests/e2e.
"""

import json
import socket
from collections import defaultdict, deque
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from hashlib import sha256
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from math import log
from threading import Event, Lock, Thread
from typing import Any

from tokenizers import Tokenizer, decoders, models, pre_tokenizers

ABOUT, TOKENIZER, MEASURE = "GET /self_certainty", "GET /self_certainty/tokenizer", "POST /self_certainty"
MODELS, DETOKENIZE, COMPLETIONS = "GET /v1/models", "POST /detokenize", "POST /v1/completions"

VOCAB_SIZE = 300
LONGEST = 2_000
LOADED_AT = "2026-11-21T07:30:00Z"

Json = dict[str, Any]


def tokenizer(*, backwards: bool = False) -> Tokenizer:
    """One token per byte: a token's place in a text is its byte's. Backwards, the bytes have other ids."""
    alphabet = sorted(pre_tokenizers.ByteLevel.alphabet(), reverse=backwards)
    made = Tokenizer(models.BPE({letter: number for number, letter in enumerate(alphabet)}, []))
    made.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    made.decoder = decoders.ByteLevel()
    return made


def told(token_ids: Sequence[int], start: int, end: int) -> float:
    """The certainty that the server makes up for a span."""
    return (sum(token_ids[start:end]) % 500) / 100


class Exchange:
    """One request, and the connection to answer it on."""

    def __init__(self, vllm: "FaultyVllm", handler: BaseHTTPRequestHandler) -> None:
        self.vllm = vllm
        self.handler = handler
        self.route = f"{handler.command} {handler.path}"
        self.authorization = handler.headers.get("Authorization")
        body = handler.rfile.read(int(handler.headers.get("Content-Length", 0)))
        self.message: Any = json.loads(body) if body else None

    def answer(self, status: int, body: bytes, **headers: str) -> None:
        self.handler.send_response(status)
        for name, value in {"Content-Length": str(len(body)), **headers}.items():
            self.handler.send_header(name.replace("_", "-"), value)
        self.handler.end_headers()
        self.handler.wfile.write(body)

    def hang_up(self) -> None:
        self.handler.close_connection = True
        self.handler.connection.shutdown(socket.SHUT_RDWR)


Act = Callable[[Exchange], None]


def well(exchange: Exchange) -> None:
    """Answer as vLLM would."""
    exchange.answer(200, exchange.vllm.good_answer(exchange))


def status(code: int, body: object = None, **headers: str) -> Act:
    """Answer with a status."""
    return lambda exchange: exchange.answer(code, json.dumps(body or {"error": {"message": "oh"}}).encode(), **headers)


def answering(**fields: object) -> Act:
    """Answer well, but for some fields of the message."""
    return lambda exchange: exchange.answer(
        200, json.dumps(json.loads(exchange.vllm.good_answer(exchange)) | fields).encode()
    )


def with_result(**fields: object) -> Act:
    """Answer well, but for some fields of the first result."""

    def act(exchange: Exchange) -> None:
        message = json.loads(exchange.vllm.good_answer(exchange))
        message["results"][0] |= fields
        exchange.answer(200, json.dumps(message).encode())

    return act


def saying(body: bytes) -> Act:
    """Answer with these bytes."""
    return lambda exchange: exchange.answer(200, body)


def hang(exchange: Exchange) -> None:
    """Answer nothing for as long as the server runs."""
    exchange.vllm.ended.wait()
    exchange.hang_up()


def hang_up(exchange: Exchange) -> None:
    """Close the connection."""
    exchange.hang_up()


def half_an_answer(exchange: Exchange) -> None:
    """Announce an answer, and break off in its middle."""
    body = exchange.vllm.good_answer(exchange)
    exchange.handler.send_response(200)
    exchange.handler.send_header("Content-Length", str(len(body)))
    exchange.handler.end_headers()
    exchange.handler.wfile.write(body[: len(body) // 2])
    exchange.hang_up()


def half_a_message(exchange: Exchange) -> None:
    """Answer with JSON that breaks off in its middle."""
    body = exchange.vllm.good_answer(exchange)
    exchange.answer(200, body[: len(body) // 2])


def trickle(exchange: Exchange) -> None:
    """Answer so slowly that it never ends."""
    exchange.handler.send_response(200)
    exchange.handler.send_header("Content-Length", "1000000")
    exchange.handler.end_headers()
    while not exchange.vllm.ended.wait(0.01):
        exchange.handler.wfile.write(b" ")


def flood(exchange: Exchange) -> None:
    """Answer for ever, as fast as can be."""
    exchange.handler.send_response(200)
    exchange.handler.end_headers()
    while not exchange.vllm.ended.is_set():
        exchange.handler.wfile.write(b" " * 2**16)


class FaultyVllm:
    """Answers well where nothing else is scripted. `with running_vllm() as vllm:` starts one."""

    def __init__(self, port: int = 0) -> None:
        self.ended = Event()
        self.seen: list[Exchange] = []
        self.most_at_once = 0
        self.tokenizer = tokenizer().to_str()
        self.weights: Json = {"model": "policy", "revision": "step-1", "loaded_at": LOADED_AT}
        self.vocab_size = VOCAB_SIZE
        self.card: Json = {"id": "policy", "root": "/models/qwen", "max_model_len": LONGEST}
        self.row: Json = {"0": {"logprob": log(0.5), "rank": 1, "decoded_token": "!"}}
        self.before_the_body: deque[Callable[[BaseHTTPRequestHandler], None]] = deque()
        """What the next posts meet with, one after the other, when only their heads were read."""
        self._scripts: dict[str, deque[Act]] = defaultdict(deque)
        self._always: dict[str, Act] = {}
        self.at_once = 0
        self._lock = Lock()
        self._server = _Server(("127.0.0.1", port), _handler(self))
        Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True).start()

    @property
    def listener(self) -> socket.socket:
        return self._server.socket

    @listener.setter
    def listener(self, listener: socket.socket) -> None:
        self._server.socket = listener

    @property
    def port(self) -> int:
        return int(self._server.server_address[1])

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    @property
    def digest(self) -> str:
        """Of the tokenizer."""
        return f"sha256:{sha256(self.tokenizer.encode()).hexdigest()}"

    def script(self, route: str, *acts: Act) -> None:
        """What the next requests of a route meet with, one after the other."""
        self._scripts[route].extend(acts)

    def always(self, route: str, act: Act) -> None:
        """What every request of a route meets with, once its script is over."""
        self._always[route] = act

    def count(self, route: str) -> int:
        return len(self.messages(route))

    def messages(self, route: str) -> list[Any]:
        return [exchange.message for exchange in self.seen if exchange.route == route]

    @contextmanager
    def one_at_a_time(self, seconds: float) -> Iterator[None]:
        """Measure one after the other, each for so long."""
        engine = Lock()

        def act(exchange: Exchange) -> None:
            with engine:
                self.ended.wait(seconds)
                well(exchange)

        self.always(MEASURE, act)
        yield
        self.always(MEASURE, well)

    def stop(self) -> None:
        self.ended.set()
        self._server.shutdown()
        self._server.server_close()

    def act(self, exchange: Exchange) -> None:
        with self._lock:
            self.seen.append(exchange)
            script = self._scripts[exchange.route]
            act = script.popleft() if script else self._always.get(exchange.route, well)
            if self.ended.is_set():
                act = hang_up
            if exchange.route in (MEASURE, COMPLETIONS):
                self.at_once += 1
                self.most_at_once = max(self.most_at_once, self.at_once)
        try:
            act(exchange)
        finally:
            with self._lock:
                if exchange.route in (MEASURE, COMPLETIONS):
                    self.at_once -= 1

    def good_answer(self, exchange: Exchange) -> bytes:
        message = exchange.message
        if exchange.route == TOKENIZER:
            return self.tokenizer.encode()
        if exchange.route == ABOUT:
            return json.dumps(
                {
                    "protocol": 1,
                    "plugin": "0.1.0",
                    "vllm": "0.32.0",
                    **self.weights,
                    "path": "/models/qwen",
                    "vocab_size": self.vocab_size,
                    "max_model_len": LONGEST,
                    "tokenizer": self.digest,
                    "prefix_caching": True,
                    "cache_cap": True,
                }
            ).encode()
        if exchange.route == MEASURE:
            results = [_result(completion) for completion in message["completions"]]
            about = {**self.weights, "vocab_size": self.vocab_size, "tokenizer": self.digest}
            return json.dumps({**about, "results": results}).encode()
        if exchange.route == MODELS:
            return json.dumps({"object": "list", "data": [self.card]}).encode()
        if exchange.route == DETOKENIZE:
            return json.dumps({"prompt": Tokenizer.from_str(self.tokenizer).decode(message["tokens"])}).encode()
        assert exchange.route == COMPLETIONS
        rows = [None, *({**self.row, str(number): _unlikely()} | self.row for number in message["prompt"][1:])]
        return json.dumps({"choices": [{"index": 0, "text": "x", "prompt_logprobs": rows}]}).encode()


def _result(completion: Json) -> Json:
    start, end = completion["span"]
    value = told(completion["token_ids"], start, end)
    return {
        "tokens": end - start,
        "kl_to_uniform": value,
        "kl_from_uniform": 2 * value,
        "logprob": -0.4,
        "cached_tokens": 3,
        "rescored": False,
    }


def _unlikely() -> Json:
    return {"logprob": -30.0, "rank": 200, "decoded_token": "x"}


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    block_on_close = False
    request_queue_size = 128

    def handle_error(self, request: object, client_address: object) -> None:
        """A client that leaves is what some tests are about."""


def _handler(vllm: FaultyVllm) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        disable_nagle_algorithm = True

        def do_GET(self) -> None:
            vllm.act(Exchange(vllm, self))

        def do_POST(self) -> None:
            if vllm.before_the_body:
                vllm.before_the_body.popleft()(self)
                self.close_connection = True
                return
            vllm.act(Exchange(vllm, self))

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002
            """Nothing."""

    return Handler


@contextmanager
def running_vllm(port: int = 0) -> Iterator[FaultyVllm]:
    """A server that is well until a test scripts something else."""
    vllm = FaultyVllm(port)
    try:
        yield vllm
    finally:
        if not vllm.ended.is_set():
            vllm.stop()


def free_port() -> int:
    """A port that nothing listens on."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        return int(taken.getsockname()[1])

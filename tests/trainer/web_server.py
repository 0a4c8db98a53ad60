"""Web servers that answer as they are told to, in place of reward servers and of Ray's dashboard."""

import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread

Answers = Mapping[str, tuple[int, bytes]]

VERSION = {
    "server_version": "9.9",
    "spec": {"name": "shop-r1", "digest": "sha256:00"},
    "certainty": {"source": "none", "kind": None},
}


def ready(version: object) -> Answers:
    """A reward server's, as far as `/version`."""
    return {"/readyz": (200, b"{}"), "/version": (200, json.dumps(version).encode())}


@contextmanager
def web_server(answers: Answers) -> Iterator[str]:
    """A web server with these answers by path; 404 for any other."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            status, body = answers.get(self.path, (404, b"no such page"))
            self.send_response(status)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_arguments: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_port}"
        finally:
            server.shutdown()
            thread.join()

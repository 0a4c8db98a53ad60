"""As little of an HTTP client as a test under load can afford: it posts, and never tries a second time."""

import asyncio
from collections.abc import Mapping
from typing import NamedTuple


class Failed(Exception):
    """An answer that is not a 200."""


class Answered(NamedTuple):
    """A 200."""

    headers: Mapping[str, str]
    """Their names in lower case."""
    body: bytes


class PlainClient:
    """Posts to one path of one server, over connections that it keeps, or over a new one each time."""

    def __init__(self, address: str, path: str, headers: Mapping[str, str], *, keeps: bool) -> None:
        lines = [f"POST {path} HTTP/1.1", f"Host: {address}", *(f"{name}: {value}" for name, value in headers.items())]
        self._head = "\r\n".join(lines).encode()
        self._host, _, self._port = address.partition(":")
        self._keeps = keeps
        self._idle: list[tuple[asyncio.StreamReader, asyncio.StreamWriter]] = []

    async def post(self, body: bytes) -> Answered:
        """Raises Failed, and what asyncio raises of connections."""
        reader, writer = self._idle.pop() if self._idle else await asyncio.open_connection(self._host, self._port)
        try:
            writer.write(b"%b\r\nContent-Length: %d\r\n\r\n%b" % (self._head, len(body), body))
            first, *lines = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").splitlines()
            fields = [line.partition(":") for line in lines if line]
            headers = {name.lower(): value.strip() for name, _, value in fields}
            answer = await reader.readexactly(int(headers["content-length"]))
        except BaseException:
            writer.close()
            raise
        if self._keeps and headers.get("connection") != "close":
            self._idle.append((reader, writer))
        else:
            writer.close()
        if first.split()[1] != "200":
            raise Failed(f"{first}: {answer.decode()}")
        return Answered(headers, answer)

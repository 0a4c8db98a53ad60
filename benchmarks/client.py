"""What the client costs beside raw httpx and aiohttp that post the same rollouts to the same server, in one run.

    python -m benchmarks.client

A GRPO batch of 1,024 rollouts per call, a group of 8, and one rollout per call with 16 in flight. Each way scores the
same rollouts by a real `reward-server serve`; rounds take turns, so that a slow moment hits all. Time on the clock
includes the server's, CPU time is this process's alone. The peers encode, post and decode as their libraries do by
themselves, and check nothing; the last of each library posts bytes that are ready and looks at no answer. Without
aiohttp only httpx is timed. Then, how many bytes a rollout takes (`rollout_bytes.py`).
"""

import asyncio
import json
import random
from collections.abc import Awaitable, Callable
from importlib.util import find_spec
from statistics import median
from time import perf_counter, process_time
from typing import NamedTuple

import httpx
from rich.console import Console
from rich.progress import track
from rich.table import Table

from benchmarks import rollout_bytes
from benchmarks.arguments import no_arguments
from reward_server import wire
from reward_server.client import ClientOptions, RewardClient
from tests.servers import running_server

ROUNDS = 31
IN_FLIGHT = 16
LOADS = (
    ("1,024 rollouts a call", 1024, 2, 1),
    ("8 rollouts a call", 8, 64, 1),
    ("1 rollout a call", 1, 256, IN_FLIGHT),
)
"""Title, rollouts per call, calls per round, calls in flight."""
SERVER = ("--spec", "shop-r1-no-rationale", "--certainty", "none")
JSON = {"Content-Type": "application/json"}
RATIONALE = "I compare the price with what I wanted to spend, and the reviews look good to me. " * 8

Call = Callable[[], Awaitable[object]]


class Cost(NamedTuple):
    """Of one call, in µs."""

    clock: float
    cpu: float


def make_batch(size: int) -> list[wire.Rollout]:
    """Groups of 8 that share a label, with completions of about 760 bytes."""
    batch = []
    for number in range(size):
        label = {"type": "click", "name": f"search_results.product_{number // 8}.view_product"}
        predicted = random.choice((label, {"type": "terminate"}))
        text = json.dumps({"rationale": RATIONALE, "action": predicted})
        batch.append(wire.Rollout(completion=text, label=label, id=f"step/{number}", group=f"step/{number // 8}"))
    return batch


class Httpx:
    """What a user writes with httpx alone."""

    def __init__(self, url: str, batch: list[wire.Rollout]) -> None:
        self._url = f"{url}/score"
        self._client = httpx.AsyncClient(timeout=60)
        self._message = {"rollouts": [rollout.model_dump(exclude_none=True) for rollout in batch]}
        self._ready = json.dumps(self._message).encode()

    async def score(self) -> object:
        response = await self._client.post(self._url, json=self._message)
        response.raise_for_status()
        return response.json()["rewards"]

    async def post(self) -> object:
        response = await self._client.post(self._url, content=self._ready, headers=JSON)
        return response.raise_for_status()

    async def close(self) -> None:
        await self._client.aclose()


class Aiohttp:
    """The same with aiohttp."""

    def __init__(self, url: str, batch: list[wire.Rollout]) -> None:
        import aiohttp

        self._url = f"{url}/score"
        self._session = aiohttp.ClientSession()
        self._message = {"rollouts": [rollout.model_dump(exclude_none=True) for rollout in batch]}
        self._ready = json.dumps(self._message).encode()

    async def score(self) -> object:
        async with self._session.post(self._url, json=self._message) as response:
            response.raise_for_status()
            return (await response.json())["rewards"]

    async def post(self) -> object:
        async with self._session.post(self._url, data=self._ready, headers=JSON) as response:
            response.raise_for_status()
            return await response.read()

    async def close(self) -> None:
        await self._session.close()


async def cost(call: Call, calls: int, in_flight: int) -> Cost:
    """The mean of so many calls."""

    async def several() -> None:
        for _ in range(calls // in_flight):
            await call()

    clock, cpu = perf_counter(), process_time()
    await asyncio.gather(*(several() for _ in range(in_flight)))
    return Cost((perf_counter() - clock) / calls * 1e6, (process_time() - cpu) / calls * 1e6)


async def measure(url: str, title: str, size: int, calls: int, in_flight: int) -> dict[str, list[Cost]]:
    """The costs of each way, round by round."""
    batch = make_batch(size)
    peers = {"httpx": Httpx(url, batch)} | ({"aiohttp": Aiohttp(url, batch)} if find_spec("aiohttp") else {})
    async with RewardClient(ClientOptions(url)) as client:
        ways: dict[str, Call] = {"RewardClient": lambda: client.score(batch)}
        for name, peer in peers.items():
            ways |= {f"{name}: json, post, json": peer.score, f"{name}: post alone": peer.post}
        costs: dict[str, list[Cost]] = {name: [] for name in ways}
        for number in track(range(ROUNDS + 1), title, transient=True):
            for name, way in random.sample([*ways.items()], len(ways)):
                found = await cost(way, calls, in_flight)
                if number:  # the first opens the connections
                    costs[name].append(found)
        for peer in peers.values():
            await peer.close()
    return costs


def main() -> None:
    table = Table(title=f"Per call, medians of {ROUNDS} rounds; RewardClient beside each: of the rounds' ratios")
    for column in ("", "ms", "RewardClient", "CPU ms here", "RewardClient"):
        table.add_column(column, justify="right" if column else "left")
    with running_server(*SERVER) as server:
        for title, *load in LOADS:
            costs = asyncio.run(measure(server.url, title, *load))
            table.add_row(title, style="bold")
            ours = costs["RewardClient"]
            for name, rounds in costs.items():
                cells = []
                for side in Cost._fields:
                    pairs = [(getattr(a, side), getattr(b, side)) for a, b in zip(ours, rounds, strict=True)]
                    cells += [f"{median(b for _, b in pairs) / 1e3:.2f}", f"{median(a / b for a, b in pairs):.2f} ×"]
                table.add_row(f"  {name}", *cells)
            table.add_section()
    Console(width=120).print(table, rollout_bytes.table())


if __name__ == "__main__":
    no_arguments(__doc__)
    random.seed(0)
    main()

"""The client for code without an event loop: reward functions of trainers that call them from threads and forks."""

import os
from asyncio import AbstractEventLoop, Event, get_running_loop, run, run_coroutine_threadsafe
from collections.abc import Sequence
from concurrent.futures import CancelledError, Future
from threading import Lock, Thread
from types import TracebackType
from typing import NamedTuple, Self
from weakref import WeakSet

from reward_server import wire
from reward_server.client.client import RewardClient
from reward_server.client.errors import RewardError
from reward_server.client.options import ClientOptions


class _Worker(NamedTuple):
    """An event loop in a thread of its own, and the client that lives there."""

    client: RewardClient
    loop: AbstractEventLoop
    thread: Thread
    stop: Event


class SyncRewardClient:
    """`RewardClient`, for any number of threads at once, and for processes that were forked after its first use.

    Its event loop is in a thread that the first batch starts and `close` ends; the thread never holds up the end of the
    process. Pickled, it arrives as a client of the same options.
    """

    def __init__(self, options: ClientOptions) -> None:
        """Connects to nothing yet. Raises RewardError for options that cannot be used."""
        RewardClient(options)
        self._options = options
        self._lock = Lock()
        self._worker: _Worker | None = None
        _clients.add(self)

    def __reduce__(self) -> tuple[type[Self], tuple[ClientOptions]]:
        return type(self), (self._options,)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def score(self, rollouts: Sequence[wire.Rollout]) -> wire.ScoreResponse:
        """As `RewardClient.score`, whose errors it raises; RewardError where `close` cuts a batch short."""
        with self._lock:
            if self._worker is None:
                self._worker = _start(self._options)
            worker = self._worker
            scoring = run_coroutine_threadsafe(worker.client.score(rollouts), worker.loop)
        try:
            return scoring.result()
        except CancelledError:
            raise RewardError("the client was closed before the batch had its rewards") from None
        finally:
            # Nobody waits for it any more after a KeyboardInterrupt.
            scoring.cancel()

    def close(self) -> None:
        """Close the connections and end the thread; the next batch starts another."""
        with self._lock:
            worker, self._worker = self._worker, None
        if worker is not None:
            worker.loop.call_soon_threadsafe(worker.stop.set)
            worker.thread.join()

    def _forget(self) -> None:
        """In a child: the thread is the parent's, and so are the sockets, which nobody may touch, nor tidy away."""
        if self._worker is not None:
            _of_parents.append(self._worker)
        self._lock, self._worker = Lock(), None


def _start(options: ClientOptions) -> _Worker:
    client = RewardClient(options)
    started: Future[_Worker] = Future()

    async def live() -> None:
        async with client:
            stop = Event()
            started.set_result(_Worker(client, get_running_loop(), thread, stop))
            await stop.wait()

    thread = Thread(target=lambda: run(live()), name="reward-client", daemon=True)
    thread.start()
    return started.result()


_clients: WeakSet[SyncRewardClient] = WeakSet()
_of_parents: list[_Worker] = []


def _forget_all() -> None:
    for client in list(_clients):
        client._forget()


if hasattr(os, "register_at_fork"):  # which Windows lacks, and forks
    os.register_at_fork(after_in_child=_forget_all)

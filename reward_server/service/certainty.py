"""The server's certainty source, watched: what it costs, which model it has, and whether it can be counted on."""

import asyncio
import logging
from collections.abc import Sequence
from datetime import UTC, datetime
from time import monotonic, perf_counter

from reward_server.certainty.source import (
    Certainty,
    CertaintySource,
    Kind,
    Model,
    RationaleRequest,
    SourceError,
    SourceUnavailable,
    TokensRead,
)
from reward_server.scoring import Scored, Scorer
from reward_server.service.certainty_metrics import CertaintyMetrics
from reward_server.service.problems import certainty_problem

NO_CERTAINTY = {"X-Certainty-Source": "none"}
"""The headers of an answer whose spec gives certainty no weight."""

_PERIOD = 2.0
"""Seconds between two checks, whoever asks how many times."""
_LONGEST_HEADER = 500

_log = logging.getLogger("uvicorn.error")
"""uvicorn's, for its format, and for the level that the settings give it."""


class WatchedSource(CertaintySource):
    """Another source, timed and counted, and asked now and then whether it is well."""

    def __init__(self, source: CertaintySource, metrics: CertaintyMetrics, patience: float) -> None:
        """`patience` is how many seconds a source that was well may be away before it counts as failed."""
        self.name = source.name
        self.kinds = source.kinds
        self.checked = asyncio.Event()
        """Set once the source has been asked for the first time."""
        self._source = source
        self._metrics = metrics
        self._patience = patience
        self._error: SourceError | None = SourceUnavailable("the certainty source has not been asked yet")
        self._last_well: float | None = None
        self._read = TokensRead(0, 0)
        self._described: Model | None = None
        metrics.begin(self.name)

    @property
    def model(self) -> Model | None:
        """The source's."""
        return self._source.model

    @property
    def problem(self) -> SourceError | None:
        """Why no work should be sent here: never well yet, another model, a failure, or away for too long."""
        if isinstance(self._error, SourceUnavailable) and self._last_well is not None:
            return self._error if monotonic() - self._last_well > self._patience else None
        return self._error

    @property
    def remedy(self) -> str:
        """The source's."""
        return self._source.remedy

    @property
    def is_held_back(self) -> bool:
        """The source's."""
        return self._source.is_held_back

    def needs_prompt(self, request: RationaleRequest) -> bool:
        """As the source has it."""
        return self._source.needs_prompt(request)

    async def measure(self, requests: Sequence[RationaleRequest], kind: Kind) -> list[Certainty]:
        """What the source says, observed."""
        if not requests:
            return []
        started = perf_counter()
        try:
            certainties = await self._source.measure(requests, kind)
        except SourceError as error:
            self._metrics.failures.labels(self.name, certainty_problem(error).kind).inc()
            raise
        finally:
            self._metrics.held_back.labels(self.name).set(self.is_held_back)
        self._last_well = monotonic()
        self._metrics.seconds.labels(certainties[0].source).observe(perf_counter() - started)
        self._metrics.record(certainties)
        self._publish()
        return certainties

    async def check(self) -> None:
        """Ask the source, and remember what it said."""
        try:
            await self._source.check()
        except SourceError as error:
            self._error = error
            raise
        except Exception as error:
            self._error = SourceError(f"the check of {self.name} failed: {type(error).__name__} {error}")
            raise
        else:
            self._error = None
            self._last_well = monotonic()
            self._publish()
        finally:
            self._metrics.up.labels(self.name).set(self._error is None)
            self._metrics.held_back.labels(self.name).set(self.is_held_back)
            self.checked.set()

    async def watch(self) -> None:
        """Check for ever; say on the log when it makes a difference."""
        before: str | None = None
        while True:
            try:
                await self.check()
            except Exception as error:  # a bug of ours must not end the watch, which nothing would begin again
                if before != type(error).__name__:
                    passes = isinstance(error, SourceUnavailable)
                    _log.log(logging.WARNING if passes else logging.ERROR, "no certainty: %s", error)
                before = type(error).__name__
            else:
                if before is not None:
                    _log.warning("certainty again, from %s", self.name)
                before = None
            await asyncio.sleep(_PERIOD)

    async def close(self) -> None:
        """Close the source."""
        await self._source.close()

    def _publish(self) -> None:
        read = self._source.tokens_read
        if read is not None:
            self._metrics.count_read(self.name, self._read, read)
            self._read = read
        if self.model is not None and self.model != self._described:
            if self._described is not None and self._described.name != self.model.name:
                _log.warning("certainty by %r from now on, no more by %r", self.model.name, self._described.name)
            self._described = self.model
            self._metrics.describe(self.name, self.model)


def certainty_headers(scored: Sequence[Scored], scorer: Scorer) -> dict[str, str]:
    """Whose certainty an answer has, as headers: `X-Certainty-…`, of a scorer that has a source."""
    measured = next((item.certainty for item in scored if item.certainty and item.certainty.tokens), None)
    if measured is not None:
        name = measured.source
        model = Model(measured.model, measured.revision, measured.loaded_at) if measured.model else None
    else:
        assert scorer.source is not None
        name, model = scorer.source.name, scorer.source.model
    headers = {"X-Certainty-Source": name}
    if model is not None:
        headers["X-Certainty-Model"] = _header(model.name)
        if model.revision is not None:
            headers["X-Certainty-Revision"] = _header(model.revision)
        if model.loaded_at is not None:
            age = datetime.now(UTC) - datetime.fromisoformat(model.loaded_at)
            headers["X-Certainty-Model-Age"] = str(max(0, int(age.total_seconds())))
    return headers


def _header(text: str) -> str:
    """What of a text a header can carry: printable Latin-1."""
    return "".join(c if c.isprintable() and c <= "\xff" else "?" for c in text)[:_LONGEST_HEADER].strip()

"""What a scrape sees: the metrics of all of a server's processes as one, and what these processes use."""

import os
from collections import defaultdict
from collections.abc import Iterable
from functools import partial
from pathlib import Path

from prometheus_client import CollectorRegistry, PlatformCollector, ProcessCollector
from prometheus_client.metrics_core import Metric
from prometheus_client.multiprocess import MultiProcessCollector, mark_process_dead
from prometheus_client.registry import Collector

from reward_server.service.shared_metrics import shared_folder

_COMBINED = {"process_start_time_seconds": min, "process_max_fds": min}
"""All else is added up."""


def exposed_registry(own: CollectorRegistry) -> CollectorRegistry:
    """What to expose of the metrics in this process's registry: them, or those of all processes that share a folder."""
    folder = shared_folder()
    if folder is None:
        registry = own
        ProcessCollector(registry=registry)
    else:
        registry = CollectorRegistry()
        MultiProcessCollector(registry)  # type: ignore[no-untyped-call]
        registry.register(_Processes(folder))
    PlatformCollector(registry=registry)
    return registry


def forget_ended_processes() -> None:
    """Leave out what processes that have ended said of themselves; what they counted stays counted."""
    folder = shared_folder()
    for pid in _pids(folder) if folder is not None else ():
        try:
            os.kill(pid, 0)
        except ProcessLookupError:
            mark_process_dead(pid)  # type: ignore[no-untyped-call]


def _pids(folder: Path) -> set[int]:
    """Of all processes that have written metrics."""
    return {int(path.stem.rpartition("_")[2]) for path in folder.glob("*.db")}


class _Processes(Collector):
    """CPU, memory and files of the processes with metrics in a folder, together."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def collect(self) -> Iterable[Metric]:
        found: defaultdict[str, list[Metric]] = defaultdict(list)
        for pid in _pids(self._folder):
            for metric in ProcessCollector(pid=partial(str, pid), registry=None).collect():
                found[metric.name].append(metric)
        for metrics in found.values():
            first = metrics[0]
            (sample,) = first.samples
            combine = _COMBINED.get(sample.name, sum)
            first.samples = [sample._replace(value=combine(metric.samples[0].value for metric in metrics))]
            yield first

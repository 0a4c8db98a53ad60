"""All trials by name."""

from collections.abc import Callable
from functools import partial

from tests.chaos import attacks, faults, loads, openrlhf
from tests.chaos.outcome import Outcome

Trial = Callable[[], Outcome]


def trials(*, short: bool) -> dict[str, Trial]:
    """Short ones show the same in a tenth of the time, and fit into a CI machine."""
    times = 2 if short else 20
    seconds = 2.0 if short else 30.0
    size = (24 if short else 256) * attacks.MIB
    connections = 500 if short else 4_000
    return {
        "load-openrlhf": partial(loads.one_rollout_a_call, 2_000 if short else 50_000),
        "load-batches": partial(loads.a_batch_a_call, 50 if short else 500),
        "load-largest": partial(loads.large_batches, 1_638 if short else 16_384, 15_000),
        "load-soak": partial(loads.soak, 5 if short else 1_200),
        "server-killed": partial(faults.server_killed, times),
        "server-one-of-two-killed": partial(faults.one_of_two_killed, times),
        "server-worker-killed": partial(faults.worker_killed, times),
        "server-replaced": partial(faults.restarted_under_load, 1 if short else 10),
        "server-log-disk-full": faults.log_disk_full,
        "server-half-open": partial(faults.half_open, seconds),
        **{f"source-{slug(name)}": partial(faults.source_fault, name, seconds) for name in faults.SOURCE_FAULTS},
        "source-slow": partial(faults.source_slow, 1.0 if short else 10.0),
        "source-gone": partial(faults.source_killed, 2 * seconds),
        "source-gone-under-openrlhf": partial(openrlhf.source_gone, 2 * seconds, 32 if short else 256),
        **{f"source-{slug(name)}": partial(faults.source_lie, name) for name in faults.SOURCE_LIES},
        **{f"attack-{slug(name)}": partial(attacks.bodies, name, size, 1) for name in attacks.BODIES},
        "attack-four-at-once": partial(attacks.bodies, "white space", size, 4),
        "attack-unfinished": partial(attacks.unfinished, connections, 400 * 1024, chunked=False),
        "attack-unfinished-chunked": partial(attacks.unfinished, connections, 400 * 1024, chunked=True),
    }


def slug(name: str) -> str:
    """A name without spaces."""
    return name.replace(" ", "-").replace(",", "")

"""Versions are swapped behind the chart's route while six runs are being scored, and the old one is stopped."""

import asyncio
import sys
from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from time import monotonic, time
from typing import Any

import pytest
import uvloop
from prometheus_client.parser import text_string_to_metric_families

from reward_server.http_sessions import Reply, Sessions
from tests.deploy.chart import Object, ci_file, container, render
from tests.deploy.pods import RunningPods, running_pods
from tests.deploy.proxy import Proxy, running_proxy
from tests.deploy.proxy_rules import rules
from tests.e2e.swap_rollouts import GROUP, Offline, groups, score_offline
from tests.e2e.swap_runs import Requests, Run, by_header, by_our_client, by_stock_openrlhf

pytestmark = pytest.mark.e2e

REQUESTS = 50_000
SECONDS = 60
"""Over which they are spread at least, for two pods take their 20 to drain, one after the other."""

KEY = "a-key-of-this-swap"
SPEC = "shop-r1-no-rationale"
GENTLE = f'extends = "{SPEC}"\nname = "gentle"\ndars = 100.0\n'
VALUES = {
    "spec": SPEC,
    "certainty": {"source": "none"},
    "auth": {"keys": [KEY]},
    "route": {"hostnames": []},
    "specs": {"gentle": GENTLE},
}
"""Laid over those of the chart's own example of two versions: specs that stock OpenRLHF can be scored by."""

PINS = {"pinned": "v1", "by-header": "v1", "stock": "v1", "next": "v2", "next-by-header": "v2"}
"""The version that each run names, and whose digest it pins. One more, `unpinned`, does neither."""


@dataclass
class Swap:
    """What was done, and what was seen of it."""

    offline: Mapping[str, Offline]
    """What the rollouts earn under the spec of each version."""
    proxy: Proxy
    runs: dict[str, Run] = field(default_factory=dict)
    attempts: int = 0
    """Of our own client, which would hide a failure by trying again."""
    stopped: dict[str, float] = field(default_factory=dict)
    """When a pod got SIGTERM, in seconds since the epoch."""
    statuses: dict[str, int] = field(default_factory=dict)
    """What it then exited with."""
    digests_in_metrics: Mapping[str, set[str]] = field(default_factory=dict)
    """Of each run, by what the servers export before the old version is retired."""
    sent_when_over: int = 0
    """Requests sent by the time the last of them was gone."""
    seconds: float = 0.0

    def begin(self) -> None:
        """Make the runs, which have posted nothing yet."""
        old, new = (self.offline[version].digest for version in ("v1", "v2"))
        address, url = self.proxy.address, self.proxy.url
        asks = {
            "pinned": by_our_client(f"{url}/versions/v1", api_key=KEY, digest=old, run="pinned"),
            "by-header": by_header(address, KEY, "v1", old, "by-header"),
            "stock": by_stock_openrlhf(address, KEY, "v1", old, "stock"),
            "next": by_our_client(f"{url}/versions/v2", api_key=KEY, digest=new, run="next"),
            "next-by-header": by_header(address, KEY, "v2", new, "next-by-header"),
            "unpinned": by_our_client(url, api_key=KEY, run="unpinned"),
        }
        self.runs = {name: Run(ask) for name, ask in asks.items()}

    async def stop(self, pods: RunningPods, name: str) -> None:
        """Stop a pod as Kubernetes does, and wait until it is gone."""
        process = pods.servers[name].process
        self.stopped[name] = time()
        process.terminate()
        self.statuses[name] = await asyncio.to_thread(process.wait)


def route_of(**values: Any) -> Object:
    return render(ci_file("versions"), values=VALUES | values).one("HTTPRoute")


def digests_in_metrics(pods: RunningPods) -> Mapping[str, set[str]]:
    """What the alert ShopR1TwoDigestsInOneRun counts."""
    found = defaultdict(set)
    for name in ("shop-r1-v1-1", "shop-r1-v2-0"):
        for family in text_string_to_metric_families(pods.servers[name].get("/metrics").text):
            for sample in family.samples:
                if sample.name == "shop_r1_run_rollouts_total":
                    found[sample.labels["run"]].add(sample.labels["digest"])
    return found


async def carry_out(swap: Swap, pods: RunningPods, probe: Object, examples: Path) -> None:
    """A node is drained, the new version promoted, the old one retired."""
    canary, promoted = route_of(), route_of(stable="v2")
    retired = route_of(stable="v2", versions={"v1": None})
    swap.proxy.load(rules(canary, pods.of("shop-r1-v1", "shop-r1-v2"), probe))
    swap.begin()
    requests, batches = Requests(REQUESTS, SECONDS), groups(examples)
    async with asyncio.TaskGroup() as tasks:
        training = {name: tasks.create_task(run.train(batches, requests)) for name, run in swap.runs.items()}
        await requests.reach(0.05)
        await swap.stop(pods, "shop-r1-v1-0")
        await requests.reach(0.4)
        await asyncio.to_thread(swap.proxy.load, rules(promoted, pods.of("shop-r1-v1", "shop-r1-v2"), probe))
        await requests.reach(0.5)
        for name in (name for name, version in PINS.items() if version == "v1"):
            swap.runs[name].is_over = True
            await training[name]
        swap.digests_in_metrics = digests_in_metrics(pods)
        await asyncio.to_thread(swap.proxy.load, rules(retired, pods.of("shop-r1-v2"), probe))
        await swap.stop(pods, "shop-r1-v1-1")
        swap.sent_when_over = requests.taken


@pytest.fixture(scope="module")
def swap(examples: Path, tmp_path_factory: pytest.TempPathFactory) -> Swap:
    """A swap that is over."""
    folder = tmp_path_factory.mktemp("swap")
    (folder / "gentle.toml").write_text(GENTLE, encoding="utf-8")
    specs = {"v1": SPEC, "v2": str(folder / "gentle.toml")}
    offline = {version: score_offline(examples, spec, folder) for version, spec in specs.items()}
    rendered = render(ci_file("versions"), values=VALUES)
    probe = container(rendered.one("Deployment", "shop-r1-v1"), "server")["readinessProbe"]
    with running_pods(rendered, folder) as pods, running_proxy(folder) as proxy, pytest.MonkeyPatch.context() as patch:
        seen = Swap(offline, proxy)
        really_ask = Sessions.ask

        async def ask(sessions: Sessions, *request: Any) -> Reply:
            seen.attempts += 1
            return await really_ask(sessions, *request)

        patch.setattr(Sessions, "ask", ask)
        began = monotonic()
        with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
            runner.run(carry_out(seen, pods, probe, examples))
        seen.seconds = monotonic() - began
    return seen


def test_all_of_it_happened_while_requests_were_sent(swap: Swap) -> None:
    assert sum(run.calls for run in swap.runs.values()) == REQUESTS
    assert swap.sent_when_over < REQUESTS, "they ended before the swap: spread them over more seconds"
    assert all(run.groups for run in swap.runs.values())


def test_no_request_failed(swap: Swap) -> None:
    assert {name: run.failures for name, run in swap.runs.items()} == {name: [] for name in swap.runs}
    seen = swap.proxy.requests
    assert [each for each in seen if (each.status, each.ended, each.retries) != (200, "--", 0)] == []
    assert len(seen) == REQUESTS
    assert swap.attempts == sum(swap.runs[name].calls for name in ("pinned", "next", "unpinned"))


def test_no_group_of_a_pinned_run_was_scored_by_two_digests(swap: Swap) -> None:
    for name, version in PINS.items():
        assert swap.runs[name].digests == {frozenset([swap.offline[version].digest]): len(swap.runs[name].groups)}


def test_a_run_that_pins_nothing_changes_its_spec_once_and_mixes_the_groups_of_that_moment(swap: Swap) -> None:
    """The one in flight, and the next, some of whose connections the proxy had kept: what the documents warn of."""
    old, new = (frozenset([swap.offline[version].digest]) for version in ("v1", "v2"))
    groups = [frozenset(scored.answer.digest for scored in group) for group in swap.runs["unpinned"].groups]
    mixed = groups.count(old | new)
    before, after = groups.count(old), groups.count(new)
    assert groups == [old] * before + [old | new] * mixed + [new] * after
    assert before > 0 < after
    assert mixed <= 2


def test_the_metrics_show_which_run_was_scored_by_two_digests(swap: Swap) -> None:
    seen = {name: len(digests) for name, digests in swap.digests_in_metrics.items()}
    assert seen == {name: 2 if name == "unpinned" else 1 for name in swap.runs}


def test_every_reward_is_what_the_offline_scorer_gives_under_the_digest_that_came_back(swap: Swap) -> None:
    expected = {offline.digest: offline.rewards for offline in swap.offline.values()}
    assert expected[swap.offline["v1"].digest] != expected[swap.offline["v2"].digest]
    for run in swap.runs.values():
        for scored in (scored for group in run.groups for scored in group):
            assert scored.answer.reward == expected[scored.answer.digest][scored.rollout]


def test_a_stopped_server_serves_to_the_end_and_exits_with_0(swap: Swap) -> None:
    assert swap.statuses == {"shop-r1-v1-0": 0, "shop-r1-v1-1": 0}
    assert late(swap, "shop-r1-v1-0") > 0, "requests came to it after SIGTERM"


def late(swap: Swap, pod: str) -> int:
    """Rollouts that a pod scored after it was told to stop."""
    told = swap.stopped[pod]
    return sum((each.pod, each.status) == (pod, 200) and each.at > told for each in swap.proxy.requests)


def test_it_can_be_told_in_numbers(swap: Swap, capsys: pytest.CaptureFixture[str]) -> None:
    lines = [f"{len(swap.proxy.requests):,} requests in {swap.seconds:.0f} s"]
    versions = {offline.digest: version for version, offline in swap.offline.items()}
    for name, run in swap.runs.items():
        digests = {"+".join(sorted(versions[digest] for digest in key)): count for key, count in run.digests.items()}
        lines.append(f"{name}: {run.calls:,} requests, groups of {GROUP} by version: {digests}")
    lines += [
        f"{name} exited with {status}; {late(swap, name):,} after SIGTERM" for name, status in swap.statuses.items()
    ]
    with capsys.disabled():
        sys.stdout.write("\n" + "\n".join(lines) + "\n")

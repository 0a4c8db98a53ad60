"""A run: all rollouts of one file, read and put in order for its figures."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from reward_server.reward.spec import RewardSpec
from reward_server.rollout_files import BadLine
from trainer.evaluation.baselines import CommonestAction
from trainer.evaluation.counts import Clusters, clusters_of, label_types
from trainer.evaluation.history import History, history
from trainer.evaluation.result import Generation
from trainer.evaluation.rollouts import Observation
from trainer.evaluation.rows import Rows, RunError
from trainer.evaluation.tally import Tally

_NAMED_BAD_LINES = 20


@dataclass(slots=True)
class BadLines:
    """Lines that cannot be scored: how many, and the first of them."""

    number: int = 0
    first: list[BadLine] = field(default_factory=list)

    def good(self, items: Iterable[Observation | BadLine]) -> Iterator[Observation]:
        """The observations among the items; counts the rest."""
        for item in items:
            if isinstance(item, Observation):
                yield item
                continue
            self.number += 1
            if self.number <= _NAMED_BAD_LINES:
                self.first.append(item)


@dataclass(frozen=True, slots=True)
class Run:
    """The rollouts of one file as arrays, and what was counted on the way."""

    file: str
    tally: Tally
    bad: BadLines
    rows: Rows
    past: History
    clusters: Clusters
    types: list[str]
    """The action types that occur among the labels, in the order of the counts' columns."""
    commonest: CommonestAction
    generation: Generation | None = None

    @property
    def spec(self) -> RewardSpec:
        """What scored it; its certainty counts for nothing here."""
        return self.tally.spec


def read_run(file: str, items: Iterable[Observation | BadLine], spec: RewardSpec, bad: BadLines) -> Run:
    """Read a run to its end; what cannot be scored goes to `bad`. Raises RunError when no figures can be made of it."""
    tally = Tally(spec)
    for seen in bad.good(items):
        tally.add(seen)
    rows = tally.table.rows()
    if not rows.size:
        raise RunError("no line of it can be scored" if bad.number else "it holds no rollouts")
    names = list(spec.action_space)
    cluster = np.unique(rows["cluster"], return_inverse=True)[1]
    past = history(rows, cluster, tally.table.unit)
    first, count = _commonest(rows["label_action"])
    commonest = CommonestAction(names[rows["label"][first]], tally.labels.find(int(rows["label_action"][first])), count)
    is_commonest = rows["label_action"] == rows["label_action"][first]
    clusters = clusters_of(rows, cluster, past, is_commonest, len(names))
    return Run(file, tally, bad, rows, past, clusters, [names[index] for index in label_types(rows)], commonest)


def _commonest(actions: NDArray[np.uint64]) -> tuple[int, int]:
    """Where the commonest action first stands, and how often; of equals, the one that came first."""
    _, first, counts = np.unique(actions, return_index=True, return_counts=True)
    most = counts.max()
    return int(first[counts == most].min()), int(most)

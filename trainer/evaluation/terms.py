"""Mean rewards and terms per label type."""

from collections import defaultdict

from reward_server.reward.score import ScoreCard
from trainer.evaluation import result

_TERMS = ("format", "type", "attribute", "value")


class _Sums:
    def __init__(self) -> None:
        self.rollouts = 0
        self.sums = dict.fromkeys((*_TERMS, "reward", "score"), 0.0)

    def add(self, card: ScoreCard) -> None:
        self.rollouts += 1
        for name in _TERMS:
            self.sums[name] += getattr(card.terms, name)
        self.sums["reward"] += card.reward
        self.sums["score"] += card.score

    def means(self) -> result.TermMeans:
        return result.TermMeans(
            rollouts=self.rollouts, **{name: total / self.rollouts for name, total in self.sums.items()}
        )


class TermSums:
    """Running sums over rollouts; at least one must have been added before the means are asked for."""

    def __init__(self) -> None:
        self._all = _Sums()
        self._by_label: defaultdict[str, _Sums] = defaultdict(_Sums)

    def add(self, label_type: str, card: ScoreCard) -> None:
        """Count one rollout, scored without certainty."""
        self._all.add(card)
        self._by_label[label_type].add(card)

    def as_result(self) -> result.Terms:
        """Means per label type, sorted, and over all."""
        by_label = {name: sums.means() for name, sums in sorted(self._by_label.items())}
        return result.Terms(by_label_type=by_label, all=self._all.means())

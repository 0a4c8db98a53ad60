"""What a scored rollout file comes to: means per label type, as numbers and as a terminal table."""

from collections import Counter, defaultdict
from dataclasses import dataclass, field
from typing import Any

from rich.table import Table

from reward_server.reward.score import Terms
from reward_server.scoring import Scored


@dataclass
class _Sums:
    rollouts: int = 0
    valid: int = 0
    type_match: int = 0
    exact_match: int = 0
    reward: float = 0.0
    score: float = 0.0
    terms: list[float] = field(default_factory=lambda: [0.0] * len(Terms._fields))

    def add(self, scored: Scored) -> None:
        card = scored.card
        self.rollouts += 1
        self.valid += card.reason is None
        self.type_match += card.type_match
        self.exact_match += card.exact_match
        self.reward += card.reward
        self.score += card.score
        self.terms = [total + term for total, term in zip(self.terms, card.terms, strict=True)]

    def means(self) -> dict[str, Any]:
        names = ("valid", "type_match", "exact_match", "reward", "score")
        means = {name: getattr(self, name) / self.rollouts for name in names}
        terms = {name: total / self.rollouts for name, total in zip(Terms._fields, self.terms, strict=True)}
        return {"rollouts": self.rollouts, **means, "terms": terms}


class Summary:
    """Running sums over scored rollouts; its size does not grow with their number."""

    def __init__(self) -> None:
        self._by_label: defaultdict[str, _Sums] = defaultdict(_Sums)
        self._all = _Sums()
        self._reasons: Counter[str] = Counter()

    def add(self, scored: Scored) -> None:
        """Count one rollout."""
        self._by_label[scored.label.type].add(scored)
        self._all.add(scored)
        if scored.card.reason is not None:
            self._reasons[scored.card.reason.value] += 1

    def as_dict(self) -> dict[str, Any]:
        """Means per label type and over all, shares as fractions; None over all when nothing was scored."""
        return {
            "by_label_type": {name: sums.means() for name, sums in sorted(self._by_label.items())},
            "all": self._all.means() if self._all.rollouts else None,
            "invalid": dict(sorted(self._reasons.items())),
        }

    def tables(self) -> list[Table]:
        """The same for the terminal."""
        return [self._means_table(), self._reasons_table()] if self._reasons else [self._means_table()]

    def _means_table(self) -> Table:
        table = Table(title="Means per label type", title_justify="left")
        table.add_column("label", no_wrap=True)
        for name in ("rollouts", "valid", "type", "exact", "reward", "score", *(f"·{term}" for term in Terms._fields)):
            table.add_column(name, justify="right", no_wrap=True)
        for name, sums in sorted(self._by_label.items()):
            table.add_row(name, *_cells(sums))
        if self._all.rollouts:
            table.add_section()
            table.add_row("all", *_cells(self._all), style="bold")
        return table

    def _reasons_table(self) -> Table:
        table = Table(title="Invalid completions", title_justify="left")
        table.add_column("reason")
        table.add_column("rollouts", justify="right")
        for reason, count in self._reasons.most_common():
            table.add_row(reason, f"{count:,}")
        return table


def _cells(sums: _Sums) -> list[str]:
    means = sums.means()
    shares = [f"{means[name]:.1%}" for name in ("valid", "type_match", "exact_match")]
    numbers = [f"{number:.4g}" for number in (means["reward"], means["score"], *means["terms"].values())]
    return [f"{sums.rollouts:,}", *shares, *numbers]

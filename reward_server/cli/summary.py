"""What a scored rollout file comes to: means per label type, as numbers and as a terminal table."""

from collections import Counter, defaultdict
from typing import Any

from rich.table import Table

from reward_server.reward.score import Terms
from reward_server.scoring import Scored
from reward_server.terminal import printable

_SHARES = {"valid": "valid", "type_match": "right type", "exact_match": "exact match"}


class _Sums:
    """Running sums over rollouts."""

    def __init__(self) -> None:
        self.rollouts = 0
        self.sums: defaultdict[str, float] = defaultdict(float)
        self.terms = [0.0] * len(Terms._fields)
        self.reasons: Counter[str] = Counter()

    def add(self, scored: Scored) -> None:
        card = scored.card
        self.rollouts += 1
        self.sums["valid"] += card.reason is None
        for name in ("type_match", "exact_match", "reward", "score"):
            self.sums[name] += getattr(card, name)
        self.terms = [total + term for total, term in zip(self.terms, card.terms, strict=True)]
        if card.reason is not None:
            self.reasons[card.reason.value] += 1

    def means(self) -> dict[str, Any]:
        names = (*_SHARES, "reward", "score")
        return {
            "rollouts": self.rollouts,
            **{name: self.sums[name] / self.rollouts for name in names},
            "terms": {name: total / self.rollouts for name, total in zip(Terms._fields, self.terms, strict=True)},
            "invalid": dict(sorted(self.reasons.items())),
        }


class Summary:
    """Means over scored rollouts; its size does not grow with their number."""

    def __init__(self) -> None:
        self._by_label: defaultdict[str, _Sums] = defaultdict(_Sums)
        self._all = _Sums()

    def add(self, scored: Scored) -> None:
        """Count one rollout."""
        self._by_label[scored.label.type].add(scored)
        self._all.add(scored)

    def as_dict(self) -> dict[str, Any]:
        """Means per label type and over all, shares as fractions; `all` is None when nothing was scored."""
        return {
            "by_label_type": {name: sums.means() for name, sums in sorted(self._by_label.items())},
            "all": self._all.means() if self._all.rollouts else None,
        }

    def table(self) -> Table:
        """The same for the terminal, a column per label type."""
        columns = {**dict(sorted(self._by_label.items())), "all": self._all} if self._all.rollouts else {}
        means = [sums.means() for sums in columns.values()]
        table = Table(title="Means per label type", title_justify="left")
        table.add_column("label")
        for name in columns:
            table.add_column(printable(name), justify="right", style="bold" if name == "all" else None)
        table.add_row("rollouts", *(f"{mean['rollouts']:,}" for mean in means))
        for key, heading in _SHARES.items():
            table.add_row(heading, *(f"{mean[key]:.1%}" for mean in means), end_section=key == "exact_match")
        for name in Terms._fields:
            table.add_row(f"{name} term", *(f"{mean['terms'][name]:.4g}" for mean in means))
        table.add_row("reward", *(f"{mean['reward']:.4g}" for mean in means), style="bold")
        table.add_row("score", *(f"{mean['score']:.4g}" for mean in means), end_section=True)
        for reason, _ in self._all.reasons.most_common():
            counts = (mean["invalid"].get(reason, 0) for mean in means)
            table.add_row(f"invalid: {reason}", *(f"{count:,}" if count else "-" for count in counts))
        return table

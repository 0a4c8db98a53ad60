"""Everything that is counted while a run's rollouts are read; its size is that of its rows, 60 bytes a rollout."""

from collections import Counter

from reward_server.reward.action import Action
from reward_server.reward.matching import field_similarities, matches_in_meaning
from reward_server.reward.spec import RewardSpec
from trainer.evaluation.commonest import Commonest
from trainer.evaluation.rollouts import Observation
from trainer.evaluation.rows import RowTable, action_digest
from trainer.evaluation.similarities import SimilarityBins
from trainer.evaluation.terms import TermSums

_KEPT = 10_000
_LONGEST_SHOWN = 200

Texts = dict[str, str]
"""An action as it is shown: its type and fields, long ones cut."""


class Tally:
    """Counts over the rollouts of one run."""

    def __init__(self, spec: RewardSpec) -> None:
        self.spec = spec
        self.table = RowTable(spec)
        self.terms = TermSums()
        self.similarities = SimilarityBins(spec)
        self.reasons: Counter[str] = Counter()
        self.labels: Commonest[Texts] = Commonest(_KEPT)
        """Label actions by their digest."""
        self.mistakes: Commonest[tuple[Texts, Texts]] = Commonest(_KEPT)
        """Label and valid, wrong prediction."""

    def add(self, seen: Observation) -> None:
        """Count one rollout. Raises RunError when it cannot be clustered as the others are."""
        card, label = seen.card, seen.label
        digest = action_digest(label)
        similar = False
        if card.type_match and card.action is not None:
            similarities = field_similarities(card.action, label, self.spec.similarity)
            similar = matches_in_meaning(card.action, label, similarities, self.spec.similarity)
            self.similarities.add(card.action, label, similarities)
        self.table.add(seen, digest, similar)
        self.terms.add(label.type, card)
        if card.reason is not None:
            self.reasons[card.reason.value] += 1
        self.labels.add(digest, shown(label))
        if card.action is not None and not card.exact_match:
            self.mistakes.add((digest, action_digest(card.action)), (shown(label), shown(card.action)))


def shown(action: Action) -> Texts:
    """The action with long texts cut, so that what is kept of it is bounded."""
    return {name: _cut(text) for name, text in action.as_dict().items()}


def _cut(text: str) -> str:
    return text if len(text) <= _LONGEST_SHOWN else f"{text[: _LONGEST_SHOWN - 1]}…"

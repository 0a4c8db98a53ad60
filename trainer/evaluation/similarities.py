"""How near the texts of right-typed predictions come to the label's: ROUGE-L per type and field, in bins."""

from collections.abc import Mapping

from reward_server.reward.action import Action
from reward_server.reward.similarity import Similarity
from reward_server.reward.spec import RewardSpec
from trainer.evaluation import result

BINS = 20


class _Bins:
    def __init__(self) -> None:
        self.counts = [0] * BINS
        self.passing = 0
        self.equal = 0


class SimilarityBins:
    """Counts similarities; its size does not grow with their number."""

    def __init__(self, spec: RewardSpec) -> None:
        self._rule = spec.similarity
        self._bins = {(name, field): _Bins() for name, fields in spec.action_space.items() for field in fields}

    def add(self, action: Action, label: Action, similarities: Mapping[str, Similarity]) -> None:
        """Count the fields of a valid prediction that has the label's type."""
        for field, similarity in similarities.items():
            bins = self._bins[label.type, field]
            bins.counts[bin_of(similarity)] += 1
            bins.passing += similarity.passes(self._rule.threshold_fraction)
            bins.equal += action.fields.get(field) == label.fields[field]

    def as_result(self) -> list[result.Similarities]:
        """One histogram per type and field that was predicted at all."""
        return [
            result.Similarities(
                type=name,
                field=field,
                threshold=self._rule.threshold,
                strict=self._rule.strict,
                counts=bins.counts,
                passing=bins.passing,
                equal=bins.equal,
            )
            for (name, field), bins in self._bins.items()
            if any(bins.counts)
        ]


def bin_of(similarity: Similarity) -> int:
    """The bin of width 1/20 that a similarity falls into, in integers: 3/4 is in the bin that starts at 0.75."""
    return min(BINS * similarity.numerator // similarity.denominator, BINS - 1)

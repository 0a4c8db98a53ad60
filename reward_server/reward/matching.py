"""Whether an action is the label's in meaning: texts compared by ROUGE-L, as the reward compares them, names as text.

The reward weighs each similarity; an evaluation asks whether all of them pass. Both go by the spec's tokenizer and
threshold.
"""

from collections.abc import Mapping

from reward_server.reward.action import Action
from reward_server.reward.similarity import Similarity, rouge_l, tokenize
from reward_server.reward.spec import SimilarityRule

ELEMENT = "name"
"""The field that names an element of the page: another name is another element, however alike the two look."""


def field_similarities(action: Action, label: Action, rule: SimilarityRule) -> dict[str, Similarity]:
    """ROUGE-L of each field the label has; a field that the action lacks is compared as an empty one."""
    return {
        name: rouge_l(tokenize(action.fields.get(name, ""), rule.tokenizer), tokenize(text, rule.tokenizer))
        for name, text in label.fields.items()
    }


def matches_in_meaning(
    action: Action, label: Action, similarities: Mapping[str, Similarity], rule: SimilarityRule
) -> bool:
    """Whether the action is the label's in type and name, and in every other field equal or similar enough to count.

    `similarities` are the two's `field_similarities`. Equal texts match even where they have no tokens to compare.
    """
    if action.type != label.type:
        return False
    for name, text in label.fields.items():
        predicted = action.fields.get(name)
        if predicted == text:
            continue
        if not predicted or name == ELEMENT or not similarities[name].passes(rule.threshold_fraction):
            return False
    return True

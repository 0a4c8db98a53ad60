"""What an evaluation comes to: plain, typed, and the same in Python, in `--json` and in the reports.

Accuracies, F1 and shares are fractions from 0 to 1. `Evaluation.model_validate_json` reads back what `--json` wrote.
"""

from collections.abc import Mapping, Sequence
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field

from trainer.bootstrap import Interval
from trainer.training_curves.result import Training

Unit = Literal["session", "group", "rollout"]
"""What is resampled as a whole."""

Intervals = Mapping[str, Interval | None]
"""Figure -> its interval; None where there is none, for the reason `Bootstrap.reason`, or for a figure that is None."""

Share = Annotated[float, Field(ge=0, le=1)]

HEADLINES = ("exact_accuracy", "type_accuracy", "type_f1_macro", "type_f1_weighted")
"""The figures that the model and every baseline have."""

COMPARED = ("exact_accuracy", "exact_accuracy_rouge_l", "type_accuracy", "type_f1_macro", "type_f1_weighted")
"""The figures by which two runs are compared, in percent."""

REWARDS = ("mean_score", "mean_reward")
"""What else they are compared by; rewards have a scale of their own."""

UNKNOWN, INVALID = "unknown", "invalid"
"""Columns of the confusion matrix beside the action types; no spec can name a type so."""


class _Part(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, use_attribute_docstrings=True)


class SpecRef(_Part):
    """The reward spec that defines the action space, the similarity and the terms."""

    name: str
    digest: str
    """Of the spec as it was named. Its certainty term is left out of every reward here: it needs a model."""


class PerType(_Part):
    """The rollouts whose label has one action type."""

    rollouts: int
    """Labels of this type."""
    predicted: int
    """How often this type was predicted, whatever the label."""
    exact_accuracy: Share
    exact_accuracy_rouge_l: Share
    type_accuracy: Share
    """The type's recall."""
    precision: Share | None
    """Of the predictions of this type, how many were right; None where there are none."""
    f1: Share
    """2 × right / (labels + predictions) of this type."""
    intervals: Intervals
    """For each of the five figures above."""
    resamples_without: int
    """Resamples that hold no label of this type; they are left out of this type's intervals."""


class TypeF1(_Part):
    """What the three F1 figures average over."""

    classes: Sequence[str]
    """The action types that occur among the labels. A prediction outside them is a miss and no class of its own."""
    invalid_counts: bool
    """Whether `type_f1_macro_with_invalid` has a further class of F1 0, as it has when any completion is invalid."""


class Baseline(_Part):
    """A policy that looks at no page, on the same rollouts."""

    description: str
    """What it does, in words."""
    action: Mapping[str, str] | None
    """The one action it always predicts; None for a policy that has no such action, or one too rare to be kept."""
    exact_accuracy: Share | None
    type_accuracy: Share | None
    type_f1_macro: Share | None
    type_f1_weighted: Share | None
    intervals: Intervals
    """For each of the four figures, from the same resamples as the model's."""
    leads: Intervals
    """For each of the four figures, the interval of model − baseline, resample by resample."""
    reason: str | None
    """Why the figures are None; None where they are not."""


class Rival(_Part):
    """A baseline that the model does not clearly beat on a headline figure."""

    baseline: str
    figure: str
    score: Share
    """The baseline's."""
    model: Share
    lead: Interval | None
    """The interval of model − baseline."""
    verdict: Literal["beats", "equals", "within_chance"]
    """`within_chance`: the model is ahead, but the interval of its lead includes 0."""


class Confusion(_Part):
    """How often each label type was met with each prediction."""

    labels: Sequence[str]
    """The rows: the action types that occur among the labels, sorted."""
    predictions: Sequence[str]
    """The columns: every action type of the spec, sorted, then `unknown` and `invalid`."""
    counts: Sequence[Sequence[int]]


class TermMeans(_Part):
    """Mean reward and its terms, without certainty."""

    rollouts: int
    format: float
    type: float
    attribute: float
    value: float
    reward: float
    """The sum of the four."""
    score: Share
    """The mean of the rewards over the largest each label allows."""


class Terms(_Part):
    """Mean rewards. Certainty is left out: its term needs a model."""

    by_label_type: Mapping[str, TermMeans]
    all: TermMeans


class Similarities(_Part):
    """ROUGE-L of one field over the valid predictions of the right type."""

    type: str
    field: str
    threshold: float
    """The spec's, from where on a similarity counts."""
    strict: bool
    """Whether a similarity must exceed the threshold rather than reach it."""
    counts: Sequence[int]
    """Bins of width 0.05 from 0 to 1, each without its upper end but the last."""
    passing: int
    """How many count under the threshold."""
    equal: int
    """How many are the label's text, letter by letter."""


class Mistake(_Part):
    """A label and a valid, wrong prediction; long texts are cut."""

    label: Mapping[str, str]
    prediction: Mapping[str, str]
    count: int
    at_most: int
    """More than `count` only where there were too many different mistakes to count each exactly."""


class Bootstrap(_Part):
    """How the intervals were made: percentiles over resamples of whole clusters, drawn with replacement."""

    resamples: int
    seed: int
    confidence: float
    unit: Unit
    clusters: int
    alone: int = 0
    """Rollouts that name neither a session nor a group: each is a cluster of its own."""
    reason: str | None
    """Why there are no intervals; None where there are."""


class Generation(_Part):
    """How a model's completions were made."""

    model: str
    """The folder or the Hugging Face id, as it was named."""
    engine: Literal["vllm", "transformers"]
    data: str
    """Digest of the RL file whose rows were asked."""
    limit: int | None
    """How many of its rows; all for None."""
    temperature: Annotated[float, Field(ge=0)]
    """0 takes the likeliest token each time."""
    max_new_tokens: int
    samples: int
    """Completions for each row."""
    seed: int | None
    """None at temperature 0, where nothing is drawn."""


class BadLineRef(_Part):
    """A line that was left out."""

    line: int
    pointer: str
    """The JSON pointer of the field at fault; "" for the whole line."""
    reason: str


class Evaluation(_Part):
    """One run: one file of rollouts."""

    file: str
    generation: Generation | None = None
    """None where the rollouts came as a file."""
    spec: SpecRef
    rollouts: int
    sessions: int | None
    """None where the rollouts name none."""
    clustered_by: Unit
    exact_accuracy: Share
    """Strict: the type and every field of the label, equal as text."""
    exact_accuracy_rouge_l: Share
    """The same, but a field other than `name` also matches when its ROUGE-L passes the spec's threshold."""
    type_accuracy: Share
    type_f1_macro: Share
    """Unweighted mean of F1 over `type_f1.classes`."""
    type_f1_weighted: Share
    """Mean of F1 over `type_f1.classes`, weighted by their labels."""
    type_f1_macro_with_invalid: Share
    """`type_f1_macro` with a further class `invalid` of F1 0 when any completion is invalid."""
    session_macro_exact_accuracy: Share | None
    """Exact accuracy of each session, then the mean over sessions; None without sessions."""
    session_macro_type_accuracy: Share | None
    valid: Share
    """Completions in the required form."""
    mean_reward: float
    """Without the certainty term."""
    mean_score: Share
    """The mean share of the largest reward that each label allows."""
    intervals: Intervals
    """For each of the eleven figures above."""
    type_f1: TypeF1
    per_type: Mapping[str, PerType]
    """By label type, sorted."""
    baselines: Mapping[str, Baseline]
    """`always_<type>`, `most_frequent_action`, `copy_last_action`, `random`."""
    rivals: Sequence[Rival]
    """Baselines that the model does not clearly beat, the strongest of each figure first."""
    confusion: Confusion
    reasons: Mapping[str, int]
    """Why completions are invalid."""
    terms: Terms
    similarities: Sequence[Similarities]
    mistakes: Sequence[Mistake]
    """The most common ones, at most 20."""
    bootstrap: Bootstrap
    repeated_steps: int
    """Rollouts of a step of a session that an earlier rollout was of, too: further samples, or doubles."""
    bad_lines: int
    """Lines left out."""
    first_bad_lines: Sequence[BadLineRef]
    warnings: Sequence[str]
    """What a reader of the figures must know, in sentences."""
    training: Training | None = None
    """Of the runs whose histories were given; None where none were."""


class Difference(_Part):
    """A figure of a run minus the same figure of the reference."""

    difference: float
    interval: Interval | None
    p_value: float | None
    """Two-sided: min(1, 2 × (1 + min(#{d ≤ 0}, #{d ≥ 0})) / (1 + resamples)) over the resampled differences d."""


class Comparison(_Part):
    """A run against the reference, sessions resampled in both alike."""

    file: str
    reference: str
    differences: Mapping[str, Difference]
    """For each of COMPARED and REWARDS."""


class Runs(_Part):
    """Several runs on the same sessions."""

    runs: Sequence[Evaluation]
    """In the order given; the first is the reference."""
    comparisons: Sequence[Comparison]
    training: Training | None = None
    """Of the runs whose histories were given; None where none were."""

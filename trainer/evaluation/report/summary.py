"""What was evaluated, what came of it in one sentence, and what to know before reading on."""

from collections.abc import Sequence

from trainer.bootstrap import Interval
from trainer.evaluation.report.numbers import bounds, from_to, number, plural
from trainer.evaluation.report.parts import Block, Code, Points, Prose, Strong
from trainer.evaluation.report.policies import best_baseline
from trainer.evaluation.result import Evaluation, Generation, Rival
from trainer.evaluation.sentences import FIGURE_NAMES, percent, rival_sentences


def facts(evaluation: Evaluation) -> list[tuple[str, Prose]]:
    """What was evaluated, and how."""
    sessions = "not named" if evaluation.sessions is None else f"{evaluation.sessions:,}"
    return [
        ("Rollouts", (f"{evaluation.rollouts:,}",)),
        ("Sessions", (sessions,)),
        ("Reward spec", (Code(evaluation.spec.name),)),
        ("Digest of the spec", (Code(evaluation.spec.digest),)),
        ("Intervals", (how_resampled(evaluation),)),
        *([] if evaluation.generation is None else [("Generated", (_how_generated(evaluation.generation),))]),
    ]


def _how_generated(generation: Generation) -> str:
    drawn = "greedily" if generation.temperature == 0 else f"at temperature {generation.temperature:g}"
    samples = "" if generation.samples == 1 else f", {generation.samples:,} samples a row"
    return f"{drawn} by {generation.engine}, at most {generation.max_new_tokens:,} tokens{samples}"


def how_resampled(evaluation: Evaluation) -> str:
    """The intervals in a few words."""
    bootstrap = evaluation.bootstrap
    if bootstrap.reason is not None:
        return f"none: {bootstrap.reason}"
    clusters = plural(bootstrap.clusters, bootstrap.unit)
    return f"{level(evaluation)}, from {bootstrap.resamples:,} resamples of {clusters}"


def level(evaluation: Evaluation) -> str:
    """The confidence of the intervals: 95 %."""
    return f"{100 * evaluation.bootstrap.confidence:g} %"


def verdict(evaluation: Evaluation) -> Prose:
    """Exact accuracy beside the best baseline's, in one sentence."""
    exact = evaluation.exact_accuracy
    start = ("Exact accuracy is ", Strong(percent(exact)), _between(evaluation, evaluation.intervals["exact_accuracy"]))
    best = best_baseline(evaluation)
    if best is None or best.baseline is None or best.baseline.exact_accuracy is None:
        return (*start, ", and no baseline could be computed to hold it against.")
    score = best.baseline.exact_accuracy
    beside = (
        ", beside ",
        Strong(percent(score)),
        bracket_sentence(best.intervals.get("exact_accuracy")),
        " of the best trivial policy, ",
        Code(best.name),
    )
    return (*start, *beside, ": ", _lead(evaluation, best.name, exact - score, best.baseline.leads["exact_accuracy"]))


def bracket_sentence(interval: Interval | None) -> str:
    """An interval in brackets after a figure in a sentence; "" where there is none."""
    ends = bounds(interval)
    return "" if ends is None else f" ({from_to(ends)})"


def cautions(evaluation: Evaluation) -> list[Block]:
    """Every warning, and every baseline that the model does not clearly beat."""
    points = [(warning,) for warning in evaluation.warnings] + _rivals(evaluation)
    return [Points(points)] if points else []


def _between(evaluation: Evaluation, interval: Interval | None) -> str:
    ends = bounds(interval)
    return "" if ends is None else f" ({level(evaluation)} interval {from_to(ends)})"


def _lead(evaluation: Evaluation, name: str, lead: float, interval: Interval | None) -> str:
    rival = next((r for r in evaluation.rivals if (r.baseline, r.figure) == (name, "exact_accuracy")), None)
    points = f"a lead of {number(100 * lead)} points"
    if rival is None:
        ends = bounds(interval)
        return f"{points}, without an interval." if ends is None else f"{points} ({from_to(ends)})."
    if rival.verdict == "within_chance":
        return f"{points} that may be chance{bracket_sentence(interval)}."
    return "the model is no better." if rival.verdict == "equals" else "the model does not beat it."


def _rivals(evaluation: Evaluation) -> list[Prose]:
    """One sentence per headline figure, on the baselines that no warning names."""
    warned = [
        rival
        for rival in evaluation.rivals
        for sentence in rival_sentences([rival], evaluation.bootstrap.confidence)
        if sentence in evaluation.warnings
    ]
    others: dict[str, list[Rival]] = {}
    for rival in evaluation.rivals:
        if rival not in warned:
            others.setdefault(rival.figure, []).append(rival)
    return [_not_beaten(figure, rivals) for figure, rivals in others.items()]


def _not_beaten(figure: str, rivals: Sequence[Rival]) -> Prose:
    pieces: list[str] = [
        f"Not clearly beaten on {FIGURE_NAMES[figure]}, where the model has {percent(rivals[0].model)}: "
    ]
    for index, rival in enumerate(rivals):
        end = "." if index == len(rivals) - 1 else "; "
        pieces += [Code(rival.baseline), f" with {percent(rival.score)}{_by_how_much(rival)}{end}"]
    return tuple(pieces)


def _by_how_much(rival: Rival) -> str:
    if rival.verdict == "equals":
        return ", as much as the model"
    if rival.verdict == "beats":
        return ", more than the model"
    ends = bounds(rival.lead)
    return "" if ends is None else f", the model's lead being {from_to(ends)} points"

"""What to know before reading on in a report on several runs: what holds for several of them is said once."""

from collections.abc import Hashable, Iterable, Sequence
from typing import TypeVar

from trainer.evaluation.report.comparison import short_names
from trainer.evaluation.report.numbers import MOST_IN_WORDS
from trainer.evaluation.report.parts import Block, Code, Points, Prose
from trainer.evaluation.result import Evaluation, Runs
from trainer.evaluation.sentences import FIGURE_NAMES, percent, rival_sentences, strongest_rivals

_Key = TypeVar("_Key", bound=Hashable)
_Value = TypeVar("_Value")


def comparison_cautions(runs: Runs) -> list[Block]:
    """The strongest baseline of each headline figure, other baselines that are not clearly beaten, other warnings."""
    names = short_names([run.file for run in runs.runs])
    points = [*_strongest(runs, names), *_others(runs, names), *_warnings(runs, names)]
    return [Points(points)] if points else []


def _strongest(runs: Runs, names: Sequence[str]) -> list[Prose]:
    by_figure = _together(
        ((rival.figure, rival.baseline, percent(rival.score)), (name, rival.verdict == "within_chance"))
        for name, run in zip(names, runs.runs, strict=True)
        for rival in strongest_rivals(run.rivals)
    )
    alike = _together((tuple(of_runs), claim) for claim, of_runs in by_figure.items())
    return [_not_beaten(claims, of_runs, len(names)) for of_runs, claims in alike.items()]


def _not_beaten(claims: Sequence[tuple[str, str, str]], of_runs: Sequence[tuple[str, bool]], runs: int) -> Prose:
    """Claims are figure, baseline and its score; runs come with whether they are better, if perhaps by chance."""
    pieces: list[str] = []
    for figure, baseline, score in claims:
        pieces += [", " if pieces else "", Code(baseline), f" scores {score} {FIGURE_NAMES[figure]}"]
    for words, chance in (("No better", False), ("Better, but perhaps by chance", True)):
        such = [name for name, by_chance in of_runs if by_chance == chance]
        if such:
            pieces += [f". {words}: ", *_listed(such, runs)]
    return (*pieces, ".")


def _others(runs: Runs, names: Sequence[str]) -> list[Prose]:
    of_baselines = _together(
        (baseline, name) for name, run in zip(names, runs.runs, strict=True) for baseline in _other_baselines(run)
    )
    alike = _together((tuple(of_runs), baseline) for baseline, of_runs in of_baselines.items())
    words = ": on one headline figure or more, not clearly better than "
    return [
        (*_capital(_listed(of_runs, len(names))), words, *_listed(baselines), ".")
        for of_runs, baselines in alike.items()
    ]


def _other_baselines(run: Evaluation) -> list[str]:
    """Those that reach the run or may do so, but stand behind another baseline."""
    strongest = {rival.baseline for rival in strongest_rivals(run.rivals)}
    return [name for name in dict.fromkeys(rival.baseline for rival in run.rivals) if name not in strongest]


def _warnings(runs: Runs, names: Sequence[str]) -> list[Prose]:
    found = _together(
        (warning, name)
        for name, run in zip(names, runs.runs, strict=True)
        for warning in run.warnings
        if warning not in rival_sentences(run.rivals, run.bootstrap.confidence)
    )
    return [(*_capital(_listed(of_runs, len(names))), ": ", warning) for warning, of_runs in found.items()]


def _together(pairs: Iterable[tuple[_Key, _Value]]) -> dict[_Key, list[_Value]]:
    found: dict[_Key, list[_Value]] = {}
    for key, value in pairs:
        found.setdefault(key, []).append(value)
    return found


def _listed(names: Sequence[str], runs: int | None = None) -> list[str]:
    """Names, at most MOST_IN_WORDS of runs; `every run` where all of so many runs are meant."""
    if len(names) == runs:
        return ["every run"]
    shown = names if runs is None else names[:MOST_IN_WORDS]
    pieces = [piece for name in shown for piece in (", ", Code(name))][1:]
    return pieces if len(shown) == len(names) else [*pieces, f" and {len(names) - len(shown):,} more"]


def _capital(pieces: Sequence[str]) -> Sequence[str]:
    return ["Every run"] if pieces == ["every run"] else pieces

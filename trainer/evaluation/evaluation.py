"""A run -> its evaluation."""

from collections.abc import Mapping
from math import isnan

import numpy as np

from reward_server.rollout_files import BadLine
from trainer.bootstrap import Settings
from trainer.evaluation import result
from trainer.evaluation.baselines import Policy, policies
from trainer.evaluation.estimates import BASELINE, LEAD, MODEL, TYPE, Estimates, estimate
from trainer.evaluation.rivals import rivals
from trainer.evaluation.run import Run
from trainer.evaluation.sentences import warnings

_SHOWN_MISTAKES = 20
_OF_SESSIONS = ("session_macro_exact_accuracy", "session_macro_type_accuracy")


def evaluate_run(run: Run, settings: Settings) -> result.Evaluation:
    """Every figure of a run, with intervals, beside the baselines."""
    baselines = policies(run.spec, run.types, run.commonest, run.past.known)
    estimates = estimate(run, baselines, settings)
    tally, unit = run.tally, run.tally.table.unit
    model, intervals = _model(estimates, unit)
    confusion = _confusion(run)
    per_type = _per_type(run, estimates, confusion)
    beside = {name: _baseline(name, policy, estimates) for name, policy in baselines.items()}
    close = rivals(estimates.of(MODEL), beside)
    bootstrap = result.Bootstrap(
        **settings._asdict(), unit=unit, clusters=estimates.clusters, alone=tally.table.alone, reason=estimates.reason
    )
    repeated, bad = run.past.repeated_steps, run.bad.number
    return result.Evaluation(
        file=run.file,
        generation=run.generation,
        spec=result.SpecRef(name=run.spec.name, digest=run.spec.digest),
        rollouts=len(run.rows),
        sessions=estimates.clusters if unit == "session" else None,
        clustered_by=unit,
        **model,
        intervals=intervals,
        type_f1=result.TypeF1(classes=run.types, invalid_counts=bool(tally.reasons)),
        per_type=per_type,
        baselines=beside,
        rivals=close,
        confusion=confusion,
        reasons=dict(sorted(tally.reasons.items())),
        terms=tally.terms.as_result(),
        similarities=tally.similarities.as_result(),
        mistakes=_mistakes(run),
        bootstrap=bootstrap,
        repeated_steps=repeated,
        bad_lines=bad,
        first_bad_lines=[_reference(line) for line in run.bad.first],
        warnings=warnings(close, bootstrap, per_type, run.past.untold if run.past.known else 0, repeated, bad),
    )


def _model(estimates: Estimates, unit: result.Unit) -> tuple[Mapping[str, float | None], result.Intervals]:
    """The overall figures and their intervals, without means of sessions where there are no sessions."""
    gone = dict.fromkeys(() if unit == "session" else _OF_SESSIONS)
    return {**estimates.of(MODEL), **gone}, {**estimates.intervals(MODEL), **gone}


def _confusion(run: Run) -> result.Confusion:
    names = list(run.spec.action_space)
    size = len(names)
    cells = run.rows["label"].astype(np.int64) * (size + 2) + run.rows["predicted"]
    counts = np.bincount(cells, minlength=size * (size + 2)).reshape(size, size + 2)
    return result.Confusion(
        labels=run.types,
        predictions=[*names, result.UNKNOWN, result.INVALID],
        counts=[counts[names.index(name)].tolist() for name in run.types],
    )


def _per_type(run: Run, estimates: Estimates, confusion: result.Confusion) -> dict[str, result.PerType]:
    predicted = dict(zip(confusion.predictions, map(sum, zip(*confusion.counts, strict=True)), strict=True))
    labels = dict(zip(confusion.labels, map(sum, confusion.counts), strict=True))
    return {
        name: result.PerType(
            rollouts=labels[name],
            predicted=predicted[name],
            **{figure: None if isnan(value) else value for figure, value in estimates.of(TYPE, name).items()},
            intervals=estimates.intervals(TYPE, name),
            resamples_without=estimates.undefined[TYPE, name, "type_accuracy"],
        )
        for name in run.types
    }


def _baseline(name: str, policy: Policy, estimates: Estimates) -> result.Baseline:
    figures: dict[str, float] = estimates.of(BASELINE, name)
    return result.Baseline(
        description=policy.description,
        action=policy.action,
        **(figures or dict.fromkeys(result.HEADLINES)),
        intervals=estimates.intervals(BASELINE, name) or dict.fromkeys(result.HEADLINES),
        leads=estimates.intervals(LEAD, name) or dict.fromkeys(result.HEADLINES),
        reason=policy.reason,
    )


def _mistakes(run: Run) -> list[result.Mistake]:
    return [
        result.Mistake(label=found.thing[0], prediction=found.thing[1], count=found.at_least, at_most=found.at_most)
        for found in run.tally.mistakes.top(_SHOWN_MISTAKES)
    ]


def _reference(line: BadLine) -> result.BadLineRef:
    return result.BadLineRef(line=line.line, pointer=line.pointer, reason=line.reason)

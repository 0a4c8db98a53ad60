"""The sections on rewards and invalid completions, on similarities, and on the most common mistakes."""

from collections.abc import Mapping, Sequence
from functools import partial

from reward_server.reward.completion import Reason
from trainer.evaluation.report.numbers import action, counted, number, plain_bracketed, said, share, shared
from trainer.evaluation.report.parts import Block, Cell, Code, Column, Paragraph, Plot, Row, Section, Table
from trainer.evaluation.report.plots.similarities import draw_similarities
from trainer.evaluation.report.plots.terms import TERMS, draw_terms
from trainer.evaluation.result import Evaluation, Intervals, Mistake, Similarities, TermMeans
from trainer.evaluation.sentences import percent

_REASONS: Mapping[str, str] = {
    Reason.EMPTY: "nothing but white space",
    Reason.NOT_JSON: "no complete, strict JSON object",
    Reason.EXTRA_TEXT: "other text around the JSON object",
    Reason.DUPLICATE_KEY: "an object that names a key twice",
    Reason.WRONG_KEYS: "keys other than rationale and action",
    Reason.BAD_RATIONALE: "the rationale is not a string",
    Reason.BAD_ACTION: "the action is not an object of strings with a type",
}
_MOST_HISTOGRAMS = 12


def rewards(evaluation: Evaluation) -> Section:
    """Terms per label type, and why completions are invalid."""
    means = {"all": evaluation.terms.all, **evaluation.terms.by_label_type}
    caption = (
        "Mean rewards, each term on a scale of its own. The score is the mean share of the largest reward that each "
        "label allows. The certainty term is left out everywhere, because it needs a model."
    )
    in_words = "; ".join(
        f"{name}: reward {number(mean.reward, 3)}, score {percent(mean.score)}" for name, mean in means.items()
    )
    plot = Plot("rewards", f"{in_words}.", caption, partial(draw_terms, means))
    columns = [Column("Label type", number=False), *map(Column, ("Rollouts", *TERMS, "reward", "score, %"))]
    rows = [_means(name, mean, evaluation.intervals if name == "all" else {}) for name, mean in means.items()]
    table = Table("Mean rewards per label type", columns, rows)
    return Section("rewards", "Rewards and invalid completions", [plot, table, *_invalid(evaluation)])


def similarities(evaluation: Evaluation) -> Section:
    """Histograms of ROUGE-L with what passes the threshold."""
    title, found = "How near the texts come", evaluation.similarities
    if not found:
        text = "No valid prediction of the right type has a text field, so there is nothing to compare."
        return Section("similarities", title, [Paragraph((text,))])
    shown = sorted(found, key=lambda each: -sum(each.counts))[:_MOST_HISTOGRAMS]
    caption = (
        "ROUGE-L between predicted and label text, over the valid predictions of the right type; each histogram is as "
        "high as its fullest bin. Dashed: the spec's threshold, from where on a similarity counts."
    )
    if any(each.equal > each.passing for each in found):
        caption += (
            " Equal texts fail to pass where ROUGE-L sees no words; as published, it sees only a to z and 0 to 9."
        )
    if len(shown) < len(found):
        caption += f" Drawn are the {len(shown)} of {len(found)} fields with the most texts."
    columns = [Column("Type and field", number=False), *map(Column, ("Texts", "Counts if", "Pass", "Equal texts"))]
    plot = Plot("similarities", "; ".join(map(_in_words, shown)) + ".", caption, partial(draw_similarities, shown))
    table = Table("Similarities", columns, [_similarity(each) for each in found])
    return Section("similarities", title, [plot, table, _bins(found)])


def mistakes(evaluation: Evaluation) -> Section:
    """The most common wrong predictions."""
    title = "The most common mistakes"
    if not evaluation.mistakes:
        return Section("mistakes", title, [Paragraph(("No valid completion was wrong.",))])
    columns = [Column("Label", number=False), Column("Prediction", number=False), Column("Rollouts")]
    table = Table("Valid but wrong predictions", columns, [_mistake(mistake) for mistake in evaluation.mistakes])
    return Section("mistakes", title, [table])


def _means(name: str, mean: TermMeans, intervals: Intervals) -> Row:
    terms = [said(number(getattr(mean, term), 3)) for term in TERMS]
    reward = Cell((number(mean.reward, 3),), plain_bracketed(intervals.get("mean_reward")))
    score = shared(mean.score, intervals.get("mean_score"))
    head = Cell((name,)) if name == "all" else said(Code(name))
    return Row([head, counted(mean.rollouts), *terms, reward, score], strong=name == "all")


def _invalid(evaluation: Evaluation) -> list[Block]:
    text = f"{percent(evaluation.valid)} of the completions are in the required form"
    if not evaluation.reasons:
        return [Paragraph((f"{text}.",))]
    rows = [
        Row([said(Code(reason)), said(_REASONS.get(reason, "")), counted(count), shared(count / evaluation.rollouts)])
        for reason, count in sorted(evaluation.reasons.items(), key=lambda item: -item[1])
    ]
    columns = [Column("Reason", number=False), Column("Meaning", number=False), Column("Rollouts"), Column("%")]
    return [Paragraph((f"{text}; the others earn nothing, in any term.",)), Table("Invalid completions", columns, rows)]


def _in_words(found: Similarities) -> str:
    texts = sum(found.counts)
    passing = percent(found.passing / texts) if texts else "none"
    return f"{found.type} {found.field}: {passing} of {texts:,} texts pass the threshold of {found.threshold:g}"


def _similarity(found: Similarities) -> Row:
    texts = sum(found.counts)
    passing, equal = (
        Cell((f"{count:,}",), f"{share(count / texts)} %" if texts else "") for count in (found.passing, found.equal)
    )
    rule = f"{'>' if found.strict else '≥'} {found.threshold:g}"
    return Row([said(*_place(found)), counted(texts), said(rule), passing, equal])


def _place(found: Similarities) -> tuple[str, ...]:
    return Code(found.type), " · ", Code(found.field)


def _bins(found: Sequence[Similarities]) -> Table:
    bins = len(found[0].counts)
    columns = [Column("From", number=False), *(Column(f"{each.type} · {each.field}") for each in found)]
    rows = [
        Row([said(f"{index / bins:.2f} to {(index + 1) / bins:.2f}"), *(counted(each.counts[index]) for each in found)])
        for index in range(bins)
    ]
    return Table("Texts by ROUGE-L; each bin without its upper end, but for the last", columns, rows, folded=True)


def _mistake(mistake: Mistake) -> Row:
    count = f"{mistake.count:,}" if mistake.at_most == mistake.count else f"{mistake.count:,} to {mistake.at_most:,}"
    return Row([Cell(action(mistake.label)), Cell(action(mistake.prediction)), said(count)])

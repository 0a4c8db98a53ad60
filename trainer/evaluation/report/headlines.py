"""The section on the headline figures: the model beside every baseline."""

from functools import partial

from trainer.evaluation.report.numbers import MISSING, action, bracketed, said, shared, signed
from trainer.evaluation.report.parts import Block, Cell, Code, Column, Paragraph, Plot, Prose, Row, Section, Table
from trainer.evaluation.report.plots.policies import draw_policies
from trainer.evaluation.report.policies import Policy, best_baseline, policies
from trainer.evaluation.report.summary import bracket_sentence, level
from trainer.evaluation.result import COMPARED, HEADLINES, Evaluation
from trainer.evaluation.sentences import FIGURE_NAMES, percent

SHORT_NAMES = {
    "exact_accuracy": "Exact",
    "exact_accuracy_rouge_l": "Exact, ROUGE-L",
    "type_accuracy": "Type",
    "type_f1_macro": "F1, macro",
    "type_f1_weighted": "F1, weighted",
}
"""How the figures of COMPARED head a column."""


def headlines(evaluation: Evaluation) -> Section:
    """Plot and tables of the model and the baselines."""
    rows = policies(evaluation)
    blocks: list[Block] = [_plot(rows), _table(evaluation, rows)]
    if not evaluation.rivals and evaluation.bootstrap.reason is None and best_baseline(evaluation) is not None:
        blocks.insert(0, Paragraph(("The model clearly beats every baseline on each of the four headline figures.",)))
    if any(policy.baseline is not None for policy in rows):
        blocks += [_leads(evaluation, rows), _descriptions(rows)]
    return Section("headlines", "Headline figures", blocks)


def _plot(rows: list[Policy]) -> Plot:
    caption = (
        "Disc: the model, its interval also as the shaded band. Diamonds: policies that look at no page. Whether the "
        "model beats one of them is read off the table of differences below, not off overlapping intervals."
    )
    return Plot("policies", _in_words(rows), caption, partial(draw_policies, rows))


def _in_words(rows: list[Policy]) -> str:
    model, *beside = rows
    sentences = []
    for figure in ("exact_accuracy", "type_accuracy"):
        known = {policy.name: value for policy in beside if (value := policy.figures[figure]) is not None}
        text = f"{FIGURE_NAMES[figure].capitalize()}: {_figure(model, figure)}"
        if known:
            best = max(known, key=lambda name: known[name])
            text += f"; the best of {len(known)} baselines, {best}, {percent(known[best])}"
        sentences.append(f"{text}.")
    return " ".join(sentences)


def _figure(policy: Policy, figure: str) -> str:
    value = policy.figures[figure]
    shown = MISSING if value is None else percent(value)
    return f"{policy.name} {shown}{bracket_sentence(policy.intervals.get(figure))}"


def _table(evaluation: Evaluation, rows: list[Policy]) -> Table:
    caption = f"Headline figures in percent{with_intervals(evaluation)}"
    columns = [Column("Policy", number=False), *(Column(SHORT_NAMES[figure]) for figure in COMPARED)]
    return Table(caption, columns, [_row(policy) for policy in rows])


def with_intervals(evaluation: Evaluation) -> str:
    """What a caption says of the intervals in the table."""
    return "" if evaluation.bootstrap.reason is not None else f", with {level(evaluation)} intervals"


def _row(policy: Policy) -> Row:
    figures = [shared(policy.figures[figure], policy.intervals.get(figure)) for figure in COMPARED]
    name = Cell((policy.name,)) if policy.is_model else Cell((Code(policy.name),))
    return Row([name, *figures], strong=policy.is_model)


def _leads(evaluation: Evaluation, rows: list[Policy]) -> Table:
    caption = f"The model minus each baseline, in points{with_intervals(evaluation)} from the same resamples"
    columns = [Column("Baseline", number=False), *(Column(SHORT_NAMES[figure]) for figure in HEADLINES)]
    return Table(caption, columns, [_lead(rows[0], policy) for policy in rows[1:]])


def _lead(model: Policy, policy: Policy) -> Row:
    cells = [Cell((Code(policy.name),))]
    for figure in HEADLINES:
        ours, theirs = model.figures[figure], policy.figures[figure]
        lead = None if ours is None or theirs is None else 100 * (ours - theirs)
        interval = None if policy.baseline is None else policy.baseline.leads.get(figure)
        cells.append(Cell((signed(lead),), bracketed(interval)))
    return Row(cells)


def _descriptions(rows: list[Policy]) -> Table:
    columns = [Column(name, number=False) for name in ("Baseline", "What it does", "Its action")]
    return Table("The baselines", columns, [_description(policy) for policy in rows[1:]], folded=True)


def _description(policy: Policy) -> Row:
    baseline = policy.baseline
    assert baseline is not None
    text: Prose = (baseline.description,)
    if baseline.reason is not None:
        text = (*text, f"; no figures: {baseline.reason}")
    done = (MISSING,) if baseline.action is None else action(baseline.action)
    return Row([said(Code(policy.name)), Cell(text), Cell(done)])

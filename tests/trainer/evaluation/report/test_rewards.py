from tests.trainer.evaluation.report.sample import an_evaluation, similarities_of
from trainer.evaluation.report.parts import Paragraph, Plot, Section, Table
from trainer.evaluation.report.rewards import mistakes, rewards, similarities
from trainer.evaluation.result import Similarities

FAR = [1] + [0] * 19


def plot_of(section: Section) -> Plot:
    (plot,) = [block for block in section.blocks if isinstance(block, Plot)]
    return plot


def tables_of(section: Section) -> list[Table]:
    return [block for block in section.blocks if isinstance(block, Table)]


def caption(found: list[Similarities]) -> str:
    return plot_of(similarities(an_evaluation(similarities=found))).caption


def test_equal_texts_that_do_not_pass_are_explained() -> None:
    # An equal text in another script: nothing of it is left for the published ROUGE-L to compare.
    unlike = similarities_of("click", "name", FAR, passing=0, equal=1)
    assert "sees only a to z and 0 to 9" in caption([unlike])
    assert "sees only" not in caption([unlike.model_copy(update={"equal": 0})])


def test_the_fields_with_the_most_texts_are_drawn_and_all_are_listed() -> None:
    fields = [similarities_of("click", f"field{index}", [index + 1] + [0] * 19, 0, 0) for index in range(15)]
    section = similarities(an_evaluation(similarities=fields))
    assert "Drawn are the 12 of 15 fields with the most texts." in caption(fields)
    texts = {text.get_text() for axes in plot_of(section).draw(800).axes for text in axes.texts}
    assert "click · field14" in texts
    assert "click · field2" not in texts
    listed, bins = tables_of(section)
    assert len(listed.rows) == 15
    assert len(bins.rows) == 20


def test_nothing_to_compare_and_nothing_wrong_are_said() -> None:
    sample = an_evaluation(similarities=[], mistakes=[])
    assert similarities(sample).blocks == [
        Paragraph(("No valid prediction of the right type has a text field, so there is nothing to compare.",))
    ]
    assert mistakes(sample).blocks == [Paragraph(("No valid completion was wrong.",))]


def test_reasons_stand_with_the_commonest_first_and_new_ones_without_a_meaning() -> None:
    section = rewards(an_evaluation(reasons={"empty": 2, "too_new_to_be_known": 5}))
    table = tables_of(section)[-1]
    assert [[cell.text for cell in row.cells[:3]] for row in table.rows] == [
        [("too_new_to_be_known",), ("",), ("5",)],
        [("empty",), ("nothing but white space",), ("2",)],
    ]

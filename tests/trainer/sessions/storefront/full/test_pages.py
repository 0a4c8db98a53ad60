"""Pages as long and messy as a real shop's."""

import re
from collections import Counter

from tests.trainer.sessions.storefront.samples import full_sessions, steps, stories
from trainer.sessions.simplify import simplify
from trainer.sessions.storefront.draws import random_for
from trainer.sessions.storefront.full.pages import FullPages
from trainer.sessions.storefront.policy import MAX_STEPS
from trainer.sessions.storefront.shop import Shop
from trainer.sessions.storefront.views import Kind

MESS = ("<script>", "<style", "<!--", "display: none", "aria-hidden", "<template", "data-", "onclick=", "<LI")
UNSEEN = ("No thanks", "Skeleton", "csrf", "old menu", "pixel.example", "renderedHtml", "addEventListener")
FOOTER = ("get_to_know_us", "make_money_with_us", "payment_methods", "let_us_help_you", "more_from_the_group")

RENDER = FullPages(0, Shop(0, "full").catalogue.offers)


def test_raw_pages_have_300_to_900_thousand_characters() -> None:
    lengths = [len(step.raw_html or "") for step in steps(full_sessions())]
    assert min(lengths) > 300_000
    assert max(lengths) < 900_000


def test_simplified_pages_have_15_to_60_thousand() -> None:
    lengths = [len(step.html or "") for step in steps(full_sessions())]
    assert min(lengths) > 15_000
    assert max(lengths) < 60_000
    assert max(lengths) > 30_000


def test_raw_pages_are_as_messy_as_real_ones() -> None:
    for step in steps(full_sessions()):
        raw = step.raw_html or ""
        assert all(mess in raw for mess in MESS)
        assert re.search(r'class="[^"]*" CLASS="', raw)
        assert re.search(r" & ", raw)
        assert not raw.isascii()
        assert raw.count("<li") + raw.count("<LI") > 2 * raw.count("</li>") + 50


def test_nothing_unseen_gets_onto_the_simplified_page() -> None:
    for step in steps(full_sessions()):
        assert not any(text in (step.html or "") for text in UNSEEN)


def test_a_header_a_sidebar_and_a_footer_are_full_of_links() -> None:
    page = next(step.html or "" for step in steps(full_sessions()) if step.meta and step.meta["page"] == "results")
    names = Counter(name.split(".")[0] for name in written_names(page))
    assert names["nav_bar"] == 30
    assert names["refinements"] >= 36
    assert sum(names[column] for column in FOOTER) == 50
    assert names["search_results"] >= 3 * 20


def written_names(page: str) -> list[str]:
    return re.findall(r' name="([^"]*)"', page)


def test_names_collide_once_they_are_cut_and_then_get_numbers() -> None:
    clicked = [step.action["name"] for step in steps(full_sessions()) if step.action["type"] == "click"]
    slugs = [name.split(".")[1] for name in clicked if name.startswith("search_results.")]
    assert slugs
    assert all(len(slug) == 20 for slug in slugs)
    pages = [written_names(step.html or "") for step in steps(full_sessions())]
    assert sum(any(re.search(r"view_product\d$", name) for name in names) for names in pages) > 10


def test_everything_that_can_be_chosen_has_a_name_of_its_own() -> None:
    for told in stories("full", 12):
        for scene in told:
            names = simplify(RENDER(scene.view, random_for(0)), key="data-key").names_by_key
            keys = [choice.key for choice in scene.forecast.choices if choice.kind is not Kind.LEAVE]
            assert {*keys, "search"} == set(names) or scene.view.step == MAX_STEPS
            assert len(set(names.values())) == len(names)


def test_what_an_offer_is_called_and_what_is_said_of_it_stays_the_same() -> None:
    scene = next(scene for told in stories("full", 60) for scene in told if scene.move.choice.kind is Kind.REVIEWS)
    first, second = (simplify(RENDER(scene.view, random_for(number))).html for number in (1, 2))
    assert re.findall("<h1>.*?</h1>", first) == re.findall("<h1>.*?</h1>", second)
    assert re.findall("<p>Question.*?</p>", first) == re.findall("<p>Question.*?</p>", second) != []
    assert first != second

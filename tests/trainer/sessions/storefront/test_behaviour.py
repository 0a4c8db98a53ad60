"""What simulated sessions are like as a whole, and that nobody can predict them better than the ceiling says.

All figures are of fixed seeds, so that these tests either always pass or never.
"""

from collections import Counter, defaultdict
from collections.abc import Callable, Sequence
from math import sqrt
from statistics import mean, median

import pytest

from tests.trainer.sessions.storefront.samples import later_steps, scenes_after_the_first, steps, stories, tiny_sessions
from trainer.sessions.page import names_on
from trainer.sessions.schema import Session, Step
from trainer.sessions.storefront import ceiling
from trainer.sessions.storefront.observer import Belief, Prospect
from trainer.sessions.storefront.shoppers import everyone

TYPES = ("click", "type_and_submit", "terminate")

Label = dict[str, str]
Observer = Callable[[Sequence[Step]], Label]
"""Sees the steps so far, the last one's page included, and says what comes next; looks at nothing hidden."""


def deviations(hits: int, chances: list[float]) -> float:
    """By how many standard deviations a number of hits is off what independent chances promise."""
    return (hits - sum(chances)) / sqrt(sum(chance * (1 - chance) for chance in chances))


def test_no_action_type_dominates() -> None:
    taken = later_steps(tiny_sessions())
    shares = {name: sum(step.action["type"] == name for step in taken) / len(taken) for name in TYPES}
    assert 0.30 < shares["click"] < 0.45
    assert 0.25 < shares["type_and_submit"] < 0.40
    assert 0.20 < shares["terminate"] < 0.35


def test_the_same_holds_for_big_pages() -> None:
    scenes = scenes_after_the_first("full", 600)
    shares = Counter(scene.move.choice.type for scene in scenes)
    assert 0.30 < shares["click"] / len(scenes) < 0.45
    assert 0.25 < shares["type_and_submit"] / len(scenes) < 0.40
    assert 0.20 < shares["terminate"] / len(scenes) < 0.35
    assert 0.55 < mean(scene.forecast.best[1] for scene in scenes) < 0.70
    assert 0.70 < mean(scene.forecast.best_type[1] for scene in scenes) < 0.85


def test_sessions_have_four_to_seven_steps_and_end_in_leaving_or_buying() -> None:
    lengths = [len(session.steps) for session in tiny_sessions()]
    assert 4 <= median(lengths) <= 7
    assert max(lengths) <= 9
    ends = Counter(session.steps[-1].action.get("name", "terminate") for session in tiny_sessions())
    assert set(ends) == {"terminate", "add_to_cart.buy_now", "cart.checkout"}
    # ShopCART's real shoppers bought something in 14 % of their sessions.
    assert 0.10 < 1 - ends["terminate"] / len(lengths) < 0.30


def test_everything_a_shop_offers_is_used_now_and_then() -> None:
    clicked = {step.action["name"].split(".")[0] for step in steps(tiny_sessions()) if step.action["type"] == "click"}
    assert clicked == {
        *("deals", "departments", "recently_viewed", "refinements", "search_results", "next_page", "product_options"),
        *("add_to_cart", "read_reviews", "back_to_results", "back_to_product", "cart"),
    }


def test_the_best_prediction_is_right_about_six_times_in_ten_and_the_best_type_seven() -> None:
    best = ceiling(tiny_sessions())
    assert 0.55 < best.exact < 0.70
    assert 0.70 < best.type < 0.85
    assert best.exact_with_persona > best.exact + 0.03
    assert best.type_with_persona > best.type + 0.03


@pytest.mark.parametrize("knowing", ["", "_with_persona"])
def test_the_best_prediction_is_right_as_often_as_it_says(knowing: str) -> None:
    found = [(step.action, step.meta) for step in steps(tiny_sessions()) if step.meta]
    assert len(found) > 19_000
    chances = [meta[f"best{knowing}_probability"] for _, meta in found]
    assert abs(deviations(sum(action == meta[f"best{knowing}"] for action, meta in found), chances)) < 3
    chances = [meta[f"best_type{knowing}_probability"] for _, meta in found]
    assert abs(deviations(sum(action["type"] == meta[f"best_type{knowing}"] for action, meta in found), chances)) < 3


def test_it_is_so_at_every_degree_of_certainty() -> None:
    tenths: dict[int, list[tuple[bool, float]]] = defaultdict(list)
    for step in steps(tiny_sessions()):
        assert step.meta
        chance = step.meta["best_probability"]
        tenths[int(10 * chance)].append((step.action == step.meta["best"], chance))
    assert all(hit for hit, _ in tenths.pop(10))
    assert len(tenths) >= 8
    for members in tenths.values():
        assert abs(deviations(sum(hit for hit, _ in members), [chance for _, chance in members])) < 4


def test_big_pages_are_predicted_as_well_as_they_say() -> None:
    scenes = scenes_after_the_first("full", 600)
    bests = [scene.forecast.best for scene in scenes]
    hits = sum(best == scene.move for (best, _), scene in zip(bests, scenes, strict=True))
    assert abs(deviations(hits, [chance for _, chance in bests])) < 3


def test_what_was_done_is_never_impossible_and_no_likelier_than_the_best() -> None:
    for step in steps(tiny_sessions()):
        assert step.meta
        assert 0 < step.meta["probability"] <= step.meta["best_probability"]
        assert step.action != step.meta["best"] or step.meta["probability"] == step.meta["best_probability"]


def one_type(name: str) -> Observer:
    return lambda _: {"type": name}


def reader(before: Sequence[Step]) -> Label:
    """Opens what has all words of the query, tries other words where nothing has, buys what is opened."""
    names = names_on(before[-1].html or "")
    queries = [step.action["text"] for step in before[:-1] if step.action["type"] == "type_and_submit"]
    items = [name for name in names if name.startswith("search_results.")]
    if items and queries:
        fitting = [name for name in items if all(word in name for word in queries[-1].split())]
        if fitting:
            return {"type": "click", "name": fitting[0]}
        recent = [name.split(".")[1].replace("_", " ") for name in names_on(before[0].html or "") if "recent" in name]
        same = [thing for thing in recent if thing.endswith(queries[-1].split()[-1]) and thing not in queries]
        return {"type": "type_and_submit", "name": "search_input", "text": (same or [queries[-1]])[0]}
    for name in ("cart.checkout", "add_to_cart.buy_now", "product_options.size.m", "back_to_product"):
        if name in names:
            return {"type": "click", "name": name}
    return {"type": "terminate"}


def situation(before: Sequence[Step]) -> tuple[str, ...]:
    """What a table of habits might go by."""
    names = names_on(before[-1].html or "")
    last = before[-2].action["type"] if len(before) > 1 else ""
    return last, str(len(before)), *sorted({name.split(".")[0] for name in names})


def habits(sessions: list[Session]) -> Observer:
    """The commonest action in every situation, learnt from sessions of the same shop."""
    counts: dict[tuple[str, ...], Counter[str]] = defaultdict(Counter)
    labels: dict[str, Label] = {}
    for session in sessions:
        for number in range(1, len(session.steps)):
            action = session.steps[number].action
            labels[str(action)] = action
            counts[situation(session.steps[: number + 1])][str(action)] += 1

    def observer(before: Sequence[Step]) -> Label:
        common = counts.get(situation(before))
        return labels[common.most_common(1)[0][0]] if common else {"type": "click"}

    return observer


def hits(observer: Observer, sessions: list[Session], exact: bool) -> float:
    right = total = 0
    for session in sessions:
        for number in range(1, len(session.steps)):
            predicted, action = observer(session.steps[: number + 1]), session.steps[number].action
            right += predicted == action if exact else predicted.get("type") == action["type"]
            total += 1
    return right / total


def test_nobody_who_sees_only_what_is_visible_does_better() -> None:
    known, sessions = tiny_sessions()[:2_400], tiny_sessions()[2_400:]
    best = ceiling(sessions)
    for observer in (*map(one_type, TYPES), reader, habits(known)):
        assert hits(observer, sessions, exact=True) < best.exact - 0.05
        assert hits(observer, sessions, exact=False) < best.type - 0.05


def test_always_the_same_type_is_right_for_fewer_than_half_of_the_steps() -> None:
    assert max(hits(one_type(name), tiny_sessions(), exact=False) for name in TYPES) < 0.45


def test_a_watcher_who_does_not_look_at_the_front_page_does_worse() -> None:
    looking = blind = 0
    for told in stories("tiny", 400, seed=3):
        belief = Belief(*everyone())
        for number, scene in enumerate(told):
            prospect = Prospect.of(belief, scene.view)
            if number:
                looking += scene.forecast.best[0] == scene.move
                blind += prospect.forecast().best[0] == scene.move
            belief = prospect.after(scene.move)
    assert blind < 0.98 * looking


def test_those_who_spend_more_buy_dearer_things_and_the_patient_stay_longer() -> None:
    prices: dict[int, list[int]] = defaultdict(list)
    lengths: dict[int, list[int]] = defaultdict(list)
    for session in tiny_sessions():
        assert session.meta
        lengths[session.meta["patience"]].append(len(session.steps))
        if session.steps[-1].action["type"] == "click":
            page = session.steps[-1].html or ""
            prices[session.meta["budget"]].append(int(page.split("$")[1].split("<")[0].split()[0]))
    small, middle, large = (mean(prices[budget]) for budget in sorted(prices))
    assert small < 0.7 * middle
    assert middle < 0.8 * large
    short, long, longest = (mean(lengths[patience]) for patience in sorted(lengths))
    assert short + 0.5 < long < longest

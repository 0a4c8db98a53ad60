"""Sessions as they come out: whole, reproducible, one at a time."""

import re
import subprocess
import sys
from collections import Counter
from datetime import timedelta
from itertools import islice, pairwise

import pytest

from reward_server.reward.action import read_label
from reward_server.reward.spec import load_preset
from tests.trainer.sessions.storefront.samples import full_sessions, steps, tiny_sessions
from trainer.sessions.page import names_on, well_formed
from trainer.sessions.pairing import examine_pairing
from trainer.sessions.schema import Session
from trainer.sessions.storefront import Storefront

SPACE = load_preset("shop-r1").action_space
DIGEST = """
import hashlib
from trainer.sessions.storefront import Storefront
digest = hashlib.sha256()
for size, count in (("tiny", 40), ("full", 2)):
    for session in Storefront(seed=5, size=size, raw=True).sessions(count):
        digest.update(session.model_dump_json().encode())
print(digest.hexdigest())
"""


@pytest.fixture(params=["tiny", "full"])
def sessions(request: pytest.FixtureRequest) -> list[Session]:
    return tiny_sessions()[:500] if request.param == "tiny" else full_sessions()


def test_two_processes_give_the_same_bytes_whatever_their_hash_seeds() -> None:
    digests = {
        subprocess.run(
            [sys.executable, "-c", DIGEST], capture_output=True, text=True, check=True, env={"PYTHONHASHSEED": seed}
        ).stdout
        for seed in ("1", "2")
    }
    assert len(digests) == 1
    assert re.fullmatch("[0-9a-f]{64}\n", digests.pop())


def test_every_element_acted_on_is_on_the_page_of_its_step(sessions: list[Session]) -> None:
    for step in steps(sessions):
        if "name" in step.action:
            assert names_on(step.html or "").count(step.action["name"]) == 1


def test_the_page_before_is_not_the_one_acted_on(sessions: list[Session]) -> None:
    test = examine_pairing(sessions)
    assert test.verdict == "before"
    assert test.on_own_page == test.actions
    # search_input is on every page, which makes this easier than on real data.
    assert test.on_page_before < 0.75 * test.actions


def test_clicks_alone_are_hardly_ever_found_on_the_page_before(sessions: list[Session]) -> None:
    found = [
        later.action["name"] in names_on(earlier.html or "")
        for session in sessions
        for earlier, later in pairwise(session.steps)
        if later.action["type"] == "click"
    ]
    assert sum(found) < 0.35 * len(found)


def test_labels_are_actions_of_the_paper(sessions: list[Session]) -> None:
    for step in steps(sessions):
        assert read_label(step.action, SPACE).action.as_dict() == step.action
        assert step.meta
        assert read_label(step.meta["best"], SPACE).action.as_dict() == step.meta["best"]


def test_rationales_are_one_sentence_in_the_first_person_and_varied(sessions: list[Session]) -> None:
    texts = [step.rationale or "" for step in steps(sessions)]
    for text in texts:
        assert re.fullmatch(r"[A-Z$](?:[^.!?]|\.5)*\.", text)
        assert re.search(r"\b(I|me|my|My)\b", text)
    assert len(set(texts)) > 60
    assert Counter(texts).most_common(1)[0][1] < 0.2 * len(texts)


def test_pages_are_well_formed_and_steps_in_order(sessions: list[Session]) -> None:
    for session in sessions:
        assert all(well_formed(step.html or "") is None for step in session.steps)
        times = [step.timestamp for step in session.steps if step.timestamp]
        assert len(times) == len(session.steps)
        assert all(
            timedelta(seconds=3) <= later - earlier < timedelta(seconds=124) for earlier, later in pairwise(times)
        )
        assert all(time.utcoffset() == timedelta(0) for time in times)


def test_addresses_tell_the_query(sessions: list[Session]) -> None:
    for session in sessions:
        assert session.steps[0].url == "https://storefront.example/"
        for earlier, later in pairwise(session.steps):
            if earlier.action["type"] == "type_and_submit":
                words = earlier.action["text"].replace(" ", "+")
                assert later.url == f"https://storefront.example/search?q={words}"


def test_a_session_goes_on_until_its_shopper_leaves_or_buys(sessions: list[Session]) -> None:
    ends = {"terminate", "add_to_cart.buy_now", "cart.checkout"}
    for session in sessions:
        done = [step.action.get("name", step.action["type"]) in ends for step in session.steps]
        assert done == [False] * (len(done) - 1) + [True]


def test_the_first_ten_sessions_do_not_depend_on_how_many_are_asked_for() -> None:
    assert list(Storefront().sessions(10)) == list(islice(Storefront().sessions(1_000), 10))


def test_sessions_are_made_one_at_a_time() -> None:
    assert next(Storefront().sessions(10**12)).session == "storefront-0-000000"


def test_another_seed_gives_other_sessions() -> None:
    first, second = (list(Storefront(seed=seed).sessions(20)) for seed in (0, 1))
    assert [session.session for session in second][-1] == "storefront-1-000019"
    assert not {session.model_dump_json(include={"steps"}) for session in first} & {
        session.model_dump_json(include={"steps"}) for session in second
    }


def test_users_come_back_about_four_times_and_stay_who_they_are() -> None:
    found = list(Storefront().sessions(400))
    visits = Counter(session.user for session in found)
    assert 3.5 < len(found) / len(visits) < 4.6
    assert max(visits.values()) > 4 > min(visits.values())
    assert all(re.fullmatch(r"user-\d{4,}", user or "") for user in visits)
    assert len({(session.user, session.persona) for session in found}) == len(visits)
    assert len({(session.user, session.meta["wish"]) for session in found if session.meta}) > 395


def test_nobody_is_in_two_sessions_at_a_time() -> None:
    for earlier, later in pairwise(Storefront().sessions(120)):
        end, start = earlier.steps[-1].timestamp, later.steps[0].timestamp
        assert end
        assert start
        assert end < start


def test_the_number_of_users_can_be_chosen() -> None:
    assert {session.user for session in Storefront(users=2).sessions(40)} == {"user-0000", "user-0001"}
    with pytest.raises(ValueError, match="users: at least 1 is needed, not 0"):
        Storefront(users=0)


def test_the_raw_page_is_kept_on_request_alone() -> None:
    plain, raw = (next(Storefront(raw=keep).sessions(1)) for keep in (False, True))
    assert all(step.raw_html is None for step in plain.steps)
    assert all("data-key" in (step.raw_html or "") for step in raw.steps)
    assert [step.html for step in plain.steps] == [step.html for step in raw.steps]

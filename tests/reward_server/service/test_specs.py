"""Which spec scores: named, described, pinned by its digest, or refused before the server even starts."""

import hashlib
import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.reward_server.service.support import (
    CLICK,
    PLAIN,
    TERMINATE,
    assert_refused,
    batch,
    failed_start,
    rollout,
    said,
)
from tests.servers import Server, running_server

REQUEST = batch(rollout(CLICK, CLICK))
OTHER = f"sha256:{'0' * 64}"
TEN = 'extends = "shop-r1-no-rationale"\nname = "ten"\ndescription = "DARS 10"\ndars = 10.0\n'
BUYING = """\
name = "buying"
dars = 3.0
[actions.buy]
type = 1.0
fields.item = { attribute = 2.0, value = 4.0, dars = true }
"""


@pytest.fixture
def toml(tmp_path: Path) -> Iterator[str]:
    """The spec TEN as a file."""
    file = tmp_path / "ten.toml"
    file.write_text(TEN)
    return str(file)


def digest_of(server: Server, name: str) -> str:
    return str(server.get(f"/specs/{name}").json()["digest"])


def test_the_list_of_specs_has_the_default_and_every_preset_that_the_source_can_serve(
    server: Server, certainty_server: Server
) -> None:
    plain, full = server.get("/specs").json(), certainty_server.get("/specs").json()
    assert plain["default"] == "shop-r1-no-rationale"
    assert {spec["name"] for spec in plain["specs"]} == {"shop-r1-no-rationale", "binary", "customer-r1"}
    assert full["default"] == "shop-r1"
    assert {spec["name"] for spec in full["specs"]} == {
        "shop-r1",
        "shop-r1-binary",
        "shop-r1-no-format",
        "shop-r1-no-rationale",
        "shop-r1-no-dars",
        "shop-r1-kl-to-uniform-over-vocab",
        "opera",
        "binary",
        "customer-r1",
    }
    for listing in (plain, full):
        assert [spec["name"] for spec in listing["specs"] if spec["default"]] == [listing["default"]]
        assert all(spec["description"] for spec in listing["specs"])
    assert {spec["name"] for spec in full["specs"] if not spec["needs_certainty"]} == {
        "shop-r1-no-rationale",
        "binary",
        "customer-r1",
    }


def test_one_spec_is_shown_in_full_and_its_digest_can_be_checked_by_anyone(certainty_server: Server) -> None:
    response = certainty_server.get("/specs/shop-r1")
    shown = response.json()
    canonical = json.dumps(shown["spec"], sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    assert shown["digest"] == f"sha256:{hashlib.sha256(canonical.encode()).hexdigest()}"
    assert response.headers["etag"] == f'"{shown["digest"]}"'
    assert shown["spec"]["dars"] == 1000
    assert shown["spec"]["certainty"] == {"kind": "kl_to_uniform", "weight": 0.005}
    assert shown["spec"]["actions"]["click"]["fields"]["name"] == {"attribute": 0.2, "value": 1.0, "dars": True}


def test_an_unknown_spec_is_not_shown(server: Server) -> None:
    assert_refused(server.get("/specs/nope"), 404, "unknown-spec", "/specs/{name}")


def test_a_preset_that_the_source_cannot_serve_says_why(server: Server, certainty_server: Server) -> None:
    response = server.post("/score?spec=shop-r1", json=REQUEST)
    assert "'none'" in assert_refused(response, 404, "unknown-spec", "?spec")["detail"]
    response = certainty_server.post("/score?spec=shop-r1-kl-from-uniform", json=REQUEST)
    assert "kl_from_uniform" in assert_refused(response, 404, "unknown-spec", "?spec")["detail"]


def test_another_loaded_spec_scores_when_the_query_names_it(server: Server) -> None:
    response = server.post("/score?spec=binary", json=REQUEST)
    assert response.json()["rewards"] == [1.0]
    assert response.json()["spec"] == {"name": "binary", "digest": digest_of(server, "binary")}
    assert response.headers["etag"] == f'"{digest_of(server, "binary")}"'


def test_specs_have_their_own_action_spaces(certainty_server: Server) -> None:
    scroll = rollout({"type": "scroll"}, {"type": "scroll"}, certainty={"vocab_size": 2, "top_logprobs": [[0]]})
    assert_refused(certainty_server.post(json=batch(scroll)), 422, "bad-label", "/rollouts/0/label/type")
    assert certainty_server.post("/score?spec=opera", json=batch(scroll)).json()["results"][0]["terms"]["type"] == 0.3


@pytest.mark.parametrize("wanted", ['"{}"', "{}", 'W/"{}"', f'"{OTHER}", "{{}}"', '"a" ,W/"{}","b"', "*", '"*"'])
def test_if_match_lets_through_the_digest_in_any_notation(server: Server, wanted: str) -> None:
    tag = wanted.format(digest_of(server, "shop-r1-no-rationale"))
    assert server.post(json=REQUEST, headers={"If-Match": tag}).json()["rewards"] == [1001.0]


@pytest.mark.parametrize("wanted", [f'"{OTHER}"', OTHER, f'"{OTHER}", "a"', "", '""', "sha256", '"{}', '"x{}"'])
def test_if_match_stops_any_other_digest_with_412_and_both_digests(server: Server, wanted: str) -> None:
    digest = digest_of(server, "shop-r1-no-rationale")
    tag = wanted.format(digest[:-1])
    response = server.post(json=REQUEST, headers={"If-Match": tag})
    body = assert_refused(response, 412, "another-spec", "If-Match:")
    assert body["wanted"] == tag
    assert body["spec"] == {"name": "shop-r1-no-rationale", "digest": digest}
    assert digest in body["detail"]
    assert response.headers["etag"] == f'"{digest}"'


def test_if_match_is_held_against_the_spec_that_would_score(server: Server) -> None:
    default, binary = digest_of(server, "shop-r1-no-rationale"), digest_of(server, "binary")
    assert server.post("/score?spec=binary", json=REQUEST, headers={"If-Match": f'"{binary}"'}).status_code == 200
    assert server.post("/score?spec=binary", json=REQUEST, headers={"If-Match": f'"{default}"'}).status_code == 412


def test_the_digest_in_the_query_does_what_if_match_does(server: Server) -> None:
    digest = digest_of(server, "shop-r1-no-rationale")
    assert server.post(f"/score?digest={digest}", json=REQUEST).json()["rewards"] == [1001.0]
    assert server.post(f"/score?digest={digest.replace(':', '%3A')}", json=REQUEST).json()["rewards"] == [1001.0]
    body = assert_refused(server.post(f"/score?digest={OTHER}", json=REQUEST), 412, "another-spec", "?digest")
    assert (body["wanted"], body["spec"]["digest"]) == (OTHER, digest)
    both = server.post(f"/score?digest={OTHER}", json=REQUEST, headers={"If-Match": f'"{digest}"'})
    assert_refused(both, 412, "another-spec", "?digest")


def test_a_custom_spec_scores_by_default(toml: str) -> None:
    with running_server("--spec", toml, "--certainty", "none") as server:
        answer = server.post(json=REQUEST).json()
        assert answer["rewards"] == pytest.approx([0.5 + 0.3 + 0.2 + 10])
        assert answer["spec"]["name"] == server.get("/specs").json()["default"] == "ten"
        assert server.get("/specs/ten").json()["description"] == "DARS 10"
        assert server.post("/score?spec=binary", json=REQUEST).json()["rewards"] == [1.0]


def test_custom_specs_are_loaded_beside_the_default_one(toml: str, tmp_path: Path) -> None:
    buying = tmp_path / "buying.toml"
    buying.write_text(BUYING)
    with running_server(*PLAIN, REWARD_SPECS=f"{toml}, {buying},{toml}") as server:
        assert [spec["name"] for spec in server.get("/specs").json()["specs"]] == [
            "shop-r1-no-rationale",
            "ten",
            "buying",
        ]
        assert server.post("/score?spec=ten", json=REQUEST).json()["rewards"] == pytest.approx([11])
        buy = {"type": "buy", "item": "desk lamp"}
        request = batch({"completion": said(buy), "label": buy}, {"completion": said(TERMINATE), "label": buy})
        rewards = server.post("/score?spec=buying", json=request).json()["rewards"]
        assert rewards == [0.5 + 1 + 2 + 4 * 3, 0.5]
        assert_refused(server.post("/score?spec=binary", json=REQUEST), 404, "unknown-spec", "?spec")


def test_two_different_specs_of_one_name_are_refused_at_start(toml: str, tmp_path: Path) -> None:
    other = tmp_path / "other.toml"
    other.write_text(TEN.replace("10.0", "11.0"))
    status, message = failed_start("--spec", toml, "--specs", str(other), "--certainty", "none")
    assert status == 2
    assert "two different specs are named 'ten'" in message


@pytest.mark.parametrize(
    ("flags", "reasons"),
    [
        (("--certainty", "none"), ("shop-r1", "'none'", "certainty")),
        (("--spec", "shop-r1-kl-from-uniform"), ("kl_from_uniform", "'rollout'", "kl_to_uniform_over_vocab")),
        ((*PLAIN, "--specs", "opera"), ("opera", "'none'")),
        (("--specs", "binary,shop-r1-kl-from-uniform"), ("shop-r1-kl-from-uniform", "'rollout'")),
        (("--certainty", "oracle"), ("certainty", "'rollout'", "'none'")),
        (("--spec", "nope"), ("'nope'", "shop-r1-no-rationale", ".toml")),
        (("--spec", "missing.toml"), ("missing.toml", "No such file")),
    ],
    ids=lambda value: " ".join(value),
)
def test_a_server_that_could_not_score_says_why_and_does_not_start(
    flags: tuple[str, ...], reasons: tuple[str, ...]
) -> None:
    status, message = failed_start(*flags)
    assert status == 2
    for reason in reasons:
        assert reason in message


@pytest.mark.parametrize(
    ("text", "reasons"),
    [
        ("dars = ", ("not TOML",)),
        (f"{TEN}dras = 3.0\n", ("dras",)),
        (f"{TEN}similarity.threshold = 2.0\n", ("similarity.threshold",)),
        (f"{TEN}format.weight = -1.0\n", ("format.weight",)),
        (TEN.replace("shop-r1-no-rationale", "nope"), ("extends", "'nope'")),
        ('name = "empty"\n', ("actions",)),
    ],
    ids=["not TOML", "unknown key", "threshold", "negative weight", "unknown base", "no actions"],
)
def test_a_spec_file_with_a_fault_is_refused_at_start_with_the_key_at_fault(
    tmp_path: Path, text: str, reasons: tuple[str, ...]
) -> None:
    file = tmp_path / "bad.toml"
    file.write_text(text)
    status, message = failed_start("--spec", str(file), "--certainty", "none")
    assert status == 2
    assert file.name in message.replace(" ", "")
    for reason in reasons:
        assert reason in message


@pytest.mark.parametrize(
    ("query", "pointer"),
    [
        ("sepc=binary", "?sepc"),
        ("digset=sha256:0", "?digset"),
        ("spec=binary&spec=binary", "?spec"),
        ("Spec=binary", "?Spec"),
    ],
)
def test_a_parameter_that_nobody_reads_is_refused(query: str, pointer: str, server: Server) -> None:
    assert_refused(server.post(f"/score?{query}", json=REQUEST), 422, "bad-request", pointer)

"""`/openapi.json` says what the server does: its schemas hold for what the live server takes and gives."""

import json
from typing import Any

import pytest
from jsonschema import Draft202012Validator
from openapi_spec_validator import OpenAPIV31SpecValidator

from reward_server import __version__
from tests.reward_server.service.support import CLICK, SEARCH, TERMINATE, batch, rollout, said
from tests.servers import Server

ROUTES = {
    ("post", "/score"),
    ("post", "/get_reward"),
    ("get", "/specs"),
    ("get", "/specs/{name}"),
    ("get", "/version"),
    ("get", "/healthz"),
    ("get", "/readyz"),
    ("get", "/metrics"),
}
SURE = {"vocab_size": 4, "top_logprobs": [[0]]}
OPENRLHF = {"query": [f"p{said(CLICK)}"], "prompts": ["p"], "labels": [CLICK]}


@pytest.fixture(scope="module")
def document(server: Server) -> dict[str, Any]:
    return dict(server.get("/openapi.json").json())


@pytest.fixture(scope="module")
def scoring(document: dict[str, Any]) -> dict[str, Any]:
    return dict(document["paths"]["/score"]["post"])


@pytest.fixture(scope="module")
def request_schema(document: dict[str, Any], scoring: dict[str, Any]) -> Draft202012Validator:
    return validator(document, scoring["requestBody"]["content"]["application/json"]["schema"])


@pytest.fixture(scope="module")
def answer_schema(document: dict[str, Any], scoring: dict[str, Any]) -> Draft202012Validator:
    return validator(document, scoring["responses"]["200"]["content"]["application/json"]["schema"])


def validator(document: dict[str, Any], schema: dict[str, Any]) -> Draft202012Validator:
    return Draft202012Validator({**schema, "components": document["components"]})


def examples(scoring: dict[str, Any]) -> dict[str, Any]:
    entries = scoring["requestBody"]["content"]["application/json"]["examples"]
    return {name: entry["value"] for name, entry in entries.items()}


def test_the_document_is_valid_openapi_3_1_and_names_this_version(document: dict[str, Any]) -> None:
    assert document["openapi"].startswith("3.1.")
    assert list(OpenAPIV31SpecValidator(document).iter_errors()) == []
    assert document["info"]["version"] == __version__


def test_every_route_is_documented_with_an_id_of_its_own(document: dict[str, Any]) -> None:
    documented = {
        (method, path): operation
        for path, methods in document["paths"].items()
        for method, operation in methods.items()
    }
    assert documented.keys() >= ROUTES
    identifiers = [operation["operationId"] for operation in documented.values()]
    assert len(set(identifiers)) == len(identifiers)
    assert all(operation["summary"] for operation in documented.values())


def test_every_documented_get_route_answers(document: dict[str, Any], server: Server) -> None:
    for path, methods in document["paths"].items():
        if "get" in methods:
            assert server.get(path.format(name="binary")).status_code == 200, path


def test_request_and_answer_are_each_one_of_two_dialects(document: dict[str, Any], scoring: dict[str, Any]) -> None:
    for content in (scoring["requestBody"]["content"], scoring["responses"]["200"]["content"]):
        assert len(content["application/json"]["schema"]["oneOf"]) == 2
    twin = document["paths"]["/get_reward"]["post"]
    assert twin["requestBody"] == scoring["requestBody"]
    assert twin["responses"] == scoring["responses"]


@pytest.mark.parametrize("name", ["native", "openrlhf"])
def test_each_example_is_scored_in_full_and_fits_its_schemas(
    server: Server,
    scoring: dict[str, Any],
    request_schema: Draft202012Validator,
    answer_schema: Draft202012Validator,
    name: str,
) -> None:
    example = examples(scoring)[name]
    request_schema.validate(example)
    response = server.post(json=example)
    assert response.status_code == 200, response.text
    answer_schema.validate(response.json())
    assert response.json()["scores"] == [1.0]


def test_the_native_example_is_scored_with_certainty_too(
    certainty_server: Server, scoring: dict[str, Any], answer_schema: Draft202012Validator
) -> None:
    response = certainty_server.post(json=examples(scoring)["native"])
    answer_schema.validate(response.json())
    assert response.json()["results"][0]["certainty"]["tokens"] == 2


@pytest.mark.parametrize(
    "request_body",
    [
        batch(),
        batch(rollout(CLICK, SEARCH, id="a", group="b", prompt="c"), {"completion": "", "label": TERMINATE}),
        batch(rollout(id=None, group=None, prompt=None, prompt_token_ids=None, certainty=None)),
        batch(rollout(label={"action": CLICK}), rollout(label=json.dumps(CLICK))),
        batch(rollout(label={**TERMINATE, "name": None}), rollout(label={"action": CLICK, "session": 7})),
        batch(*[{"completion": text, "label": CLICK} for text in ("", "x", "{}", '{"rationale": 1, "action": 2}')]),
        batch(rollout(certainty=SURE, completion_token_ids=[1], mine=True)),
        OPENRLHF,
        {"query": [], "prompts": [], "labels": []},
    ],
    ids=lambda value: str(value)[:60],
)
@pytest.mark.parametrize("spec", ["shop-r1-no-rationale", "binary"])
def test_what_the_server_scores_fits_the_schemas_and_so_does_the_answer(
    server: Server,
    request_schema: Draft202012Validator,
    answer_schema: Draft202012Validator,
    request_body: object,
    spec: str,
) -> None:
    request_schema.validate(request_body)
    response = server.post(f"/score?spec={spec}", json=request_body)
    assert response.status_code == 200, response.text
    answer_schema.validate(response.json())


@pytest.mark.parametrize(
    "request_body",
    [
        {},
        {"rollouts": {}},
        {"rollouts": [{"completion": "x"}]},
        batch(rollout(completion=3)),
        batch(rollout(label=7)),
        batch(rollout(label={})),
        batch(rollout(label={"action": "click"})),
        batch(rollout(label="")),
        batch(rollout(certainty={"vocab_size": 1, "top_logprobs": []})),
        batch(rollout(certainty={"vocab_size": 4, "top_logprobs": [[0.5]]})),
        batch(rollout(prompt_token_ids=[-1])),
        {"query": "x", "prompts": ["x"], "labels": [TERMINATE]},
        {"query": ["x"], "prompts": ["x"]},
    ],
    ids=lambda value: str(value)[:60],
)
def test_what_the_schema_forbids_the_server_refuses(
    server: Server, request_schema: Draft202012Validator, request_body: object
) -> None:
    assert not request_schema.is_valid(request_body)
    assert server.post(json=request_body).status_code == 422


def test_every_problem_is_documented_and_fits_its_schema(
    document: dict[str, Any], scoring: dict[str, Any], server: Server
) -> None:
    answers = [
        server.post(content=b""),
        server.post(json=batch(rollout(label={"type": "hover"}))),
        server.post("/score?spec=nope", json=batch()),
        server.post(json=batch(), headers={"If-Match": "x"}),
    ]
    assert [answer.status_code for answer in answers] == [422, 422, 404, 412]
    for answer in answers:
        content = scoring["responses"][str(answer.status_code)]["content"]
        schema = content[answer.headers["content-type"]]["schema"]
        validator(document, schema).validate(answer.json())
    assert {"401", "413", "415"} <= scoring["responses"].keys()


def test_the_documented_parameters_and_keys_are_those_that_work(
    document: dict[str, Any], scoring: dict[str, Any]
) -> None:
    parameters = {(parameter["in"], parameter["name"]) for parameter in scoring["parameters"]}
    queries = {("query", "spec"), ("query", "digest"), ("query", "run")}
    assert parameters == queries | {("header", "If-Match"), ("header", "X-Run-Id")}
    schemes = {scheme["scheme"] for scheme in document["components"]["securitySchemes"].values()}
    assert schemes == {"bearer", "basic"}
    assert {"bearer": []} in scoring["security"]
    assert {"basic": []} in scoring["security"]


def test_the_answer_of_the_metrics_is_documented_as_the_text_it_is(document: dict[str, Any], server: Server) -> None:
    documented = document["paths"]["/metrics"]["get"]["responses"]["200"]["content"]
    assert [kind.partition(";")[0] for kind in documented] == ["text/plain"]
    assert server.get("/metrics").headers["content-type"].startswith("text/plain")

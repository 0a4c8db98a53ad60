"""The OpenAPI document: FastAPI's own, and the bodies of `POST /score`, which the routes decode themselves."""

from typing import Any

from fastapi import FastAPI
from fastapi.openapi.utils import get_openapi
from pydantic import BaseModel
from pydantic.json_schema import models_json_schema

from reward_server import wire
from reward_server.service.descriptions import field_descriptions
from reward_server.service.problems import MEDIA_TYPE, ProblemBody

_PROMPT = "<|im_start|>user\nYou are a shopper …<|im_end|>\n<|im_start|>assistant\n"
_COMPLETION = (
    '{"rationale": "It fits my budget, so I buy it now.", "action": {"type": "click", "name": "add_to_cart.buy_now"}}'
)
_LABEL = {"type": "click", "name": "add_to_cart.buy_now"}

NATIVE_EXAMPLE: dict[str, Any] = {
    "rollouts": [
        {
            "id": "step12/prompt7/3",
            "group": "step12/prompt7",
            "completion": _COMPLETION,
            "label": _LABEL,
            "certainty": {"vocab_size": 151936, "top_logprobs": [[-0.1, -2.5], [-0.01, -5.0]]},
        }
    ]
}
OPENRLHF_EXAMPLE: dict[str, Any] = {
    "query": [f"{_PROMPT}{_COMPLETION}<|im_end|>"],
    "prompts": [_PROMPT],
    "labels": [_LABEL],
}

_REQUESTS: tuple[type[BaseModel], ...] = (wire.ScoreRequest, wire.OpenRLHFRequest)
_SCORES: tuple[type[BaseModel], ...] = (wire.ScoreResponse, wire.OpenRLHFResponse)
_ANSWERS: dict[str, type[BaseModel]] = {
    "/specs": wire.SpecList,
    "/specs/{name}": wire.SpecDetail,
    "/version": wire.Version,
}
_SCORING_PARAMETERS = [
    ("query", "spec", "Score with this loaded spec instead of the default one."),
    ("query", "digest", "As If-Match, for trainers that can only choose a URL."),
    ("query", "run", "As X-Run-Id, for trainers that can only choose a URL."),
    ("header", "If-Match", "Score only if the spec has this digest, else answer 412."),
    ("header", "X-Run-Id", "Names the training run in the metrics."),
]
_HEADERS = {
    "ETag": "The spec's digest.",
    "X-Certainty-Source": "Where the certainties come from; `none` where the spec gives them no weight.",
    "X-Certainty-Model": "The model whose certainty it is, where the source knows.",
    "X-Certainty-Revision": "Which version of its weights.",
    "X-Certainty-Model-Age": "Whole seconds since the source began to use them.",
}
_PROBLEMS = {
    "/score": {
        "401": "No API key, or a wrong one.",
        "404": "No such spec is loaded.",
        "412": "Another spec than the one asked for would score it.",
        "413": "The body is over its limit.",
        "415": "The body has a Content-Encoding.",
        "422": "A label, a field or the whole request is wrong; nothing was scored.",
        "503": "The certainty source is away, fails, or has another model; nothing was scored.",
    },
    "/specs": {"401": "No API key, or a wrong one."},
    "/specs/{name}": {"401": "No API key, or a wrong one.", "404": "No such spec is loaded."},
    "/version": {"401": "No API key, or a wrong one."},
    "/readyz": {"503": "The server is shutting down, or its certainty source cannot be counted on."},
}
_PROBLEMS["/get_reward"] = _PROBLEMS["/score"]


def openapi(app: FastAPI) -> dict[str, Any]:
    """The document served at /openapi.json; built once."""
    if app.openapi_schema:
        return app.openapi_schema
    document = get_openapi(title=app.title, version=app.version, description=app.description, routes=app.routes)
    answers = (*_SCORES, *_ANSWERS.values(), ProblemBody)
    models = [(model, "validation") for model in _REQUESTS] + [(model, "serialization") for model in answers]
    _, definitions = models_json_schema(models, ref_template="#/components/schemas/{model}")  # type: ignore[arg-type]
    components = document.setdefault("components", {})
    components["schemas"] = schemas = definitions["$defs"]
    for name in schemas.keys() & vars(wire).keys():
        for field, description in field_descriptions(getattr(wire, name)).items():
            schemas[name]["properties"][field]["description"] = description
    components["securitySchemes"] = {
        "bearer": {"type": "http", "scheme": "bearer"},
        "basic": {"type": "http", "scheme": "basic"},
    }
    for path, operations in document["paths"].items():
        for operation in operations.values():
            _complete(operation, path)
    app.openapi_schema = document
    return document


def _complete(operation: dict[str, Any], path: str) -> None:
    responses = operation["responses"]
    responses.pop("422", None)
    for status, description in _PROBLEMS.get(path, {}).items():
        responses[status] = {"description": description, "content": {MEDIA_TYPE: {"schema": _ref(ProblemBody)}}}
    if "401" in responses:
        operation["security"] = [{"bearer": []}, {"basic": []}, {}]
    if path in _ANSWERS:
        responses["200"]["content"] = {"application/json": {"schema": _ref(_ANSWERS[path])}}
    if path == "/metrics":
        responses["200"]["content"] = {"text/plain": {"schema": {"type": "string"}}}
    if path not in ("/score", "/get_reward"):
        return
    operation["parameters"] = [
        {"in": place, "name": name, "description": description, "schema": {"type": "string"}}
        for place, name, description in _SCORING_PARAMETERS
    ]
    examples = {
        "native": {"summary": "Native: one rollout", "value": NATIVE_EXAMPLE},
        "openrlhf": {"summary": "As OpenRLHF sends it", "value": OPENRLHF_EXAMPLE},
    }
    content = {"schema": {"oneOf": [_ref(model) for model in _REQUESTS]}, "examples": examples}
    operation["requestBody"] = {"required": True, "content": {"application/json": content}}
    responses["200"]["content"] = {"application/json": {"schema": {"oneOf": [_ref(model) for model in _SCORES]}}}
    responses["200"]["headers"] = {
        name: {"description": description, "schema": {"type": "string"}} for name, description in _HEADERS.items()
    }


def _ref(model: type[BaseModel]) -> dict[str, str]:
    return {"$ref": f"#/components/schemas/{model.__name__}"}

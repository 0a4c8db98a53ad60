"""The HTTP routes, thin: read, check, hand to the scorer, answer."""

import asyncio
from http import HTTPStatus
from typing import cast

import orjson
from fastapi import APIRouter, Request, Response
from starlette.exceptions import HTTPException

from reward_server import __version__
from reward_server.reward.spec import RewardSpec
from reward_server.scoring import Scorer
from reward_server.service.answers import etag, json_answer
from reward_server.service.auth import check_key
from reward_server.service.batches import score_batch
from reward_server.service.calls import Call, read_call
from reward_server.service.problems import Problem, certainty_problem, shorten
from reward_server.service.state import ServerState
from reward_server.settings import Access

router = APIRouter()

SCORING_ROUTES = ("/score", "/get_reward")


@router.post(SCORING_ROUTES[0], operation_id="score")
@router.post(SCORING_ROUTES[1], operation_id="get_reward")
async def score(request: Request) -> Response:
    """Score a batch of rollouts under one spec: all of them, or none.

    Takes the native dialect (`rollouts`) and OpenRLHF's (`query`, `prompts`, `labels`); `/get_reward` is another name
    for the same route. Scoring is a pure function of request, spec and model: a retry is safe and gives the same bytes.
    """
    return await score_call(request, _state(request))


async def score_call(request: Request, state: ServerState) -> Response:
    """The same, before any router has looked at the request."""
    _check_key(request, state)
    call = read_call(request)
    scorer = _chosen_scorer(call, state)
    try:
        return await score_batch(request, call, state, scorer)
    except Problem as problem:
        problem.headers["ETag"] = etag(scorer.spec)
        raise


@router.get("/specs", operation_id="list_specs")
async def list_specs(request: Request) -> Response:
    """The loaded reward specs, each with the digest that its answers carry."""
    state = _authorized(request)
    default = state.default.spec
    specs = [_summary(scorer.spec, default) for scorer in state.scorers.values()]
    return json_answer({"specs": specs, "default": default.name}, default)


@router.get("/specs/{name}", operation_id="show_spec")
async def show_spec(request: Request, name: str) -> Response:
    """One reward spec in full: its canonical form, which is what the digest is the SHA-256 of."""
    state = _authorized(request)
    spec = _named_scorer(name, state, "/specs/{name}").spec
    return json_answer({**_summary(spec, state.default.spec), "spec": spec.canonical()}, spec)


@router.get("/version", operation_id="version")
async def version(request: Request) -> Response:
    """Which server this is, and what scores by default."""
    state = _authorized(request)
    spec = state.default.spec
    model = state.certainty and state.certainty.model
    answer = {
        "server_version": __version__,
        "spec": {"name": spec.name, "digest": spec.digest},
        "certainty": {
            "source": state.settings.certainty,
            "kind": spec.certainty.kind if spec.needs_certainty else None,
            "model": model and model.name,
            "revision": model and model.revision,
            "loaded_at": model and model.loaded_at,
            "takes_rollouts": state.settings.takes_rollouts,
        },
    }
    return json_answer(answer, spec)


@router.get("/healthz", operation_id="healthz")
async def healthz() -> Response:
    """Whether the process answers at all."""
    return Response(b'{"status":"ok"}', media_type="application/json")


@router.get("/readyz", operation_id="readyz")
async def readyz(request: Request) -> Response:
    """Whether new work should be sent here; 503 once SIGTERM has come, or where certainties cannot be counted on.

    The certainty source has to have answered once, with the right model, and must not be away for longer than a request
    would wait for it.
    """
    state = _state(request)
    if state.draining:
        raise Problem(HTTPStatus.SERVICE_UNAVAILABLE, "draining", [("", "this server is shutting down")])
    if state.certainty is not None:
        await state.certainty.checked.wait()
        if state.certainty.problem is not None:
            raise certainty_problem(state.certainty.problem)
    return Response(b'{"status":"ready"}', media_type="application/json")


@router.get("/metrics", operation_id="metrics")
async def metrics(request: Request) -> Response:
    """Prometheus metrics; REWARD_METRICS may ask for a key, or switch them off."""
    state = _admitted(request, _state(request).settings.metrics)
    state.metrics.ready.set(state.is_ready)
    if state.has_company:
        await state.metrics.settle()
    body, content_type = state.metrics.exposition()
    return Response(body, headers={"Content-Type": content_type})


@router.get("/openapi.json", include_in_schema=False)
async def openapi_document(request: Request) -> Response:
    """This API, as an OpenAPI document; REWARD_DOCS may ask for a key, or switch it off."""
    _admitted(request, _state(request).settings.docs)
    # In a thread, since to build it takes a tenth of a second; once.
    document = await asyncio.to_thread(request.app.openapi)
    return Response(orjson.dumps(document), media_type="application/json")


def _state(request: Request) -> ServerState:
    return cast(ServerState, request.app.state.server)


def _authorized(request: Request) -> ServerState:
    state = _state(request)
    _check_key(request, state)
    return state


def _check_key(request: Request, state: ServerState) -> None:
    if state.keys.is_needed:
        check_key(request.headers.getlist("authorization"), state.keys)


def _admitted(request: Request, access: Access) -> ServerState:
    """The state, where a route that the settings can close is open to this request; else a Problem, 404 or 401."""
    if access == "off":
        raise HTTPException(HTTPStatus.NOT_FOUND)
    return _state(request) if access == "open" else _authorized(request)


def _chosen_scorer(call: Call, state: ServerState) -> Scorer:
    """The scorer of the spec that is asked for; a 412 Problem where the request wants one with another digest."""
    scorer = state.default if call.spec is None else _named_scorer(call.spec, state, "?spec")
    digest = scorer.spec.digest
    for where, wanted in call.pins:
        if not _matches(wanted, digest):
            raise Problem(
                HTTPStatus.PRECONDITION_FAILED,
                "another-spec",
                [(where, f"the request wants {wanted}, but spec {scorer.spec.name!r} with {digest} would score it")],
                headers={"ETag": etag(scorer.spec)},
                members={"wanted": shorten(wanted), "spec": {"name": scorer.spec.name, "digest": digest}},
            )
    return scorer


def _matches(wanted: str, digest: str) -> bool:
    tags = [tag.strip().removeprefix("W/").strip('"') for tag in wanted.split(",")]
    return "*" in tags or digest in tags


def _named_scorer(name: str, state: ServerState, where: str) -> Scorer:
    if name not in state.scorers:
        reason = state.unservable.get(name) or f"no spec {name!r} is loaded; there are {', '.join(state.scorers)}"
        raise Problem(HTTPStatus.NOT_FOUND, "unknown-spec", [(where, reason)])
    return state.scorers[name]


def _summary(spec: RewardSpec, default: RewardSpec) -> dict[str, object]:
    return {
        "name": spec.name,
        "digest": spec.digest,
        "description": spec.description,
        "needs_certainty": spec.needs_certainty,
        "default": spec is default,
    }

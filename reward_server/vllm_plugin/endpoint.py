"""The routes under `/self_certainty`, which vLLM's API server takes in as an endpoint plugin."""

import hashlib
import os
import secrets
from argparse import Namespace
from collections.abc import Awaitable, Callable, Sequence
from typing import Annotated, TypeVar, cast

from fastapi import APIRouter, Depends, FastAPI, Request, Response
from fastapi.responses import JSONResponse
from pydantic import BaseModel, ValidationError
from starlette.datastructures import State
from vllm.engine.protocol import EngineClient
from vllm.entrypoints.serve.utils.api_utils import with_cancellation

from reward_server.vllm_plugin import messages
from reward_server.vllm_plugin.measuring import Measuring, RequestFault, Unavailable, UnusableWeights
from reward_server.vllm_plugin.versions import check_version

RETRY_AFTER = "5"
"""Seconds after which to ask again."""

Message = TypeVar("Message", bound=BaseModel)


class NoKey(RuntimeError):
    """A request without a key that this server knows."""


class SelfCertaintyEndpoint:
    """Entry point `vllm.endpoint_plugins`; vLLM loads it only when VLLM_PLUGINS names it."""

    name = "shop-r1"
    required_tasks = ("token_classify",)

    def attach_router(self, app: FastAPI) -> None:
        """Add the routes. Raises UnsupportedVersion."""
        check_version()
        app.include_router(router)
        app.add_exception_handler(NoKey, _unauthorized)
        app.add_exception_handler(RequestFault, _unprocessable)
        app.add_exception_handler(Unavailable, _unavailable)
        app.add_exception_handler(UnusableWeights, _conflict)

    async def init_state(self, engine_client: EngineClient | None, state: State, args: Namespace) -> None:
        """Get to know the engine, and the keys that vLLM itself asks for. Raises RuntimeError for another model."""
        assert engine_client is not None, "required_tasks keeps the plugin off servers without an engine"
        state.self_certainty = await Measuring.create(engine_client)
        # vLLM's own check of keys guards the paths it knows, and not these.
        state.self_certainty_keys = [key for key in (args.api_key or [os.environ.get("VLLM_API_KEY")]) if key]


def _check_key(request: Request) -> None:
    keys: Sequence[str] = request.app.state.self_certainty_keys
    scheme, _, key = request.headers.get("authorization", "").partition(" ")
    known = [secrets.compare_digest(_hashed(key), _hashed(other)) for other in keys]
    if keys and not (scheme.lower() == "bearer" and any(known)):
        raise NoKey("no such key: send Authorization: Bearer KEY")


def _hashed(key: str) -> bytes:
    return hashlib.sha256(key.encode()).digest()


def _measuring(request: Request) -> Measuring:
    return cast(Measuring, request.app.state.self_certainty)


def _body(kind: type[Message]) -> Callable[[Request], Awaitable[Message]]:
    """Reads the body. Raises RequestFault; vLLM's own handler of errors would not say which field it is."""

    async def read(request: Request) -> Message:
        try:
            return kind.model_validate_json(await request.body())
        except ValidationError as error:
            first = error.errors(include_url=False, include_input=False)[0]
            raise RequestFault("".join(f"/{part}" for part in first["loc"]), first["msg"]) from None

    return read


Engine = Annotated[Measuring, Depends(_measuring)]

router = APIRouter(prefix="/self_certainty", dependencies=[Depends(_check_key)])


@router.get("")
async def about(engine: Engine) -> messages.About:
    """What is served."""
    return engine.about()


@router.get("/tokenizer")
async def tokenizer(engine: Engine) -> Response:
    """The model's `tokenizer.json`."""
    file = engine.tokenizer
    return Response(file.text, media_type="application/json", headers={"ETag": f'"{file.digest}"'})


@router.post("")
@with_cancellation  # type: ignore[untyped-decorator]
async def measure(
    raw_request: Request,  # noqa: ARG001  the decorator looks in it for a client that leaves, whose work it then ends
    request: Annotated[messages.Request, Depends(_body(messages.Request))],
    engine: Engine,
) -> Response:
    """The self-certainty of spans of one prompt's completions."""
    answer = await engine.measure(request)
    return Response(answer.model_dump_json(), media_type="application/json")


@router.post("/reload")
async def reload(
    request: Annotated[messages.ReloadRequest, Depends(_body(messages.ReloadRequest))], engine: Engine
) -> messages.About:
    """Change the weights."""
    return await engine.reload(request)


async def _unauthorized(_request: Request, error: Exception) -> Response:
    return _error(401, "", error, {"WWW-Authenticate": "Bearer"})


async def _unprocessable(_request: Request, error: Exception) -> Response:
    return _error(422, cast(RequestFault, error).pointer, error)


async def _unavailable(_request: Request, error: Exception) -> Response:
    return _error(503, "", error, {"Retry-After": RETRY_AFTER})


async def _conflict(_request: Request, error: Exception) -> Response:
    return _error(409, "", error)


def _error(status: int, pointer: str, error: Exception, headers: dict[str, str] | None = None) -> Response:
    return JSONResponse({"error": {"pointer": pointer, "reason": str(error)}}, status, headers)

"""The peers, each an ASGI application for uvicorn: `uvicorn benchmarks.http.apps:NAME`.

`floor` reads the body and answers a constant: what uvicorn itself takes. `serve_rm` is OpenRLHF's `serve_rm` example
with a rule instead of a model, as its users write theirs. `route` is FastAPI decoding straight from the bytes.
"""

from typing import Any

import orjson
from fastapi import FastAPI, Request, Response
from fastapi.responses import JSONResponse
from starlette.types import Receive, Scope, Send

from benchmarks.peer import reward

ANSWER = orjson.dumps({"rewards": [1000.95], "scores": [1.0], "extra_logs": {"valid": 1.0, "type_match": 1.0}})
HEAD = {"type": "http.response.start", "status": 200, "headers": [(b"content-length", str(len(ANSWER)).encode())]}
BODY = {"type": "http.response.body", "body": ANSWER}


async def floor(scope: Scope, receive: Receive, send: Send) -> None:
    """Read the body, and answer without looking at it."""
    if scope["type"] != "http":
        return
    while (await receive()).get("more_body"):
        pass
    await send(HEAD)
    await send(BODY)


serve_rm = FastAPI()
route = FastAPI()


@serve_rm.post("/score")
async def get_reward(request: Request) -> JSONResponse:
    """As https://github.com/OpenRLHF/OpenRLHF/blob/main/openrlhf/cli/serve_rm.py, with a rule."""
    data = await request.json()
    return JSONResponse(_answer(data))


@route.post("/score")
async def score(request: Request) -> Response:
    """The same, decoded and encoded by orjson."""
    return Response(orjson.dumps(_answer(orjson.loads(await request.body()))), media_type="application/json")


def _answer(data: dict[str, Any]) -> dict[str, Any]:
    if "rollouts" in data:
        rewards = [reward(rollout["completion"], rollout["label"]) for rollout in data["rollouts"]]
    else:
        pairs = zip(data["query"], data["prompts"], strict=True)
        completions = [query[len(prompt) :] for query, prompt in pairs]
        rewards = [reward(*each) for each in zip(completions, data["labels"], strict=True)]
    mean = sum(rewards) / len(rewards)
    return {"rewards": rewards, "scores": rewards, "extra_logs": {"reward": mean}}

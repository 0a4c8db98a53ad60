"""As little as a FastAPI application can be: `uvicorn benchmarks.http.bare:app`."""

from fastapi import FastAPI, Request

app = FastAPI()


@app.post("/score")
async def score(request: Request) -> dict[str, float]:
    return {"bytes": len(await request.body())}

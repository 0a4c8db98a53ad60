"""How often Python looks for garbage: counting references frees nearly all of it, and looking stops everything else."""

import gc

from starlette.types import ASGIApp, Receive, Scope, Send

_ALLOCATIONS = 10_000
"""After which it looks. With hundreds of calls in flight, Python's 700 are never garbage."""


def look_less() -> None:
    """Look less often, and never in what is there now, which is there for good: that would take a tenth of a second."""
    gc.freeze()
    gc.set_threshold(_ALLOCATIONS, 10, 10)


class Tidy:
    """An application that looks for garbage only once it has answered.

    While a large batch is read and scored there is next to none, and to look takes half of the time.
    """

    def __init__(self, app: ASGIApp) -> None:
        """What is there now is not looked through."""
        self._app = app
        gc.disable()
        gc.freeze()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request, or the application's lifespan."""
        try:
            await self._app(scope, receive, send)
        finally:
            gc.collect()

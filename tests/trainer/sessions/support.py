"""Small sessions, written out by hand."""

import json
from io import BytesIO
from typing import Any

from reward_server.reward.spec import load_preset
from trainer.sessions.files import Located, SessionRow, read_sessions
from trainer.sessions.rules import Rules
from trainer.sessions.schema import Session, Step

SPACE = load_preset("shop-r1").action_space
RULES = Rules(SPACE)

SEARCH = {"type": "type_and_submit", "name": "search_input", "text": "red wool hat"}
OPEN_HAT = {"type": "click", "name": "search_results.red_wool_hat.view_product"}
BUY = {"type": "click", "name": "add_to_cart.buy_now"}
LEAVE = {"type": "terminate"}

HOME = '<input name="search_input"><a name="nav.deals">Deals</a>'
RESULTS = '<input name="search_input"><div>$12<a name="search_results.red_wool_hat.view_product">View</a></div>'
PRODUCT = '<h1>red wool hat</h1><button name="add_to_cart.buy_now">Buy now</button>'


def step(html: str | None, action: dict[str, Any], **fields: Any) -> dict[str, Any]:
    return {"html": html, "action": action, **fields}


def shopping(session: str = "s1", **fields: Any) -> dict[str, Any]:
    """Search, open the hat, buy it."""
    steps = [
        step(HOME, SEARCH, rationale="I need a hat."),
        step(RESULTS, OPEN_HAT, rationale="This is what I want."),
        step(PRODUCT, BUY, rationale="The price is fine."),
    ]
    return {"session": session, "steps": steps, **fields}


def located(row: dict[str, Any], line: int = 1) -> Located:
    return Located("sessions.jsonl", line, Session.model_validate(row))


def lines(*rows: dict[str, Any] | bytes) -> bytes:
    return b"".join((row if isinstance(row, bytes) else json.dumps(row).encode()) + b"\n" for row in rows)


def read(*rows: dict[str, Any] | bytes) -> list[SessionRow]:
    return list(read_sessions(BytesIO(lines(*rows)), "sessions.jsonl"))


def a_step(**fields: Any) -> Step:
    return Step.model_validate({"html": PRODUCT, "action": BUY, **fields})

"""What the tests of the source `local` share."""

import asyncio
import json

from reward_server.certainty.local import LocalSource
from reward_server.certainty.source import Certainty, Kind, RationaleRequest

PROMPT = "The page shows a rice cooker for 34 dollars. What do you do next? "


def said(rationale: str) -> str:
    return json.dumps({"rationale": rationale, "action": {"type": "terminate"}}, ensure_ascii=False)


CHEAP = said("I want a cheap rice cooker.")


def measured(source: LocalSource, *requests: RationaleRequest, kind: Kind = "kl_to_uniform") -> list[Certainty]:
    return asyncio.run(source.measure(requests, kind))

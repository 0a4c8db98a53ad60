"""What a run would ask, without asking."""

from collections.abc import Iterable
from dataclasses import dataclass

from trainer.rationales.journal import Journal, Key
from trainer.rationales.request import Asking, make_request
from trainer.sessions.schema import Session
from trainer.sessions.tokens import Measure

_CHARACTERS_PER_TOKEN = 4

ROUGHLY = f"{_CHARACTERS_PER_TOKEN} characters a token"
"""How tokens are estimated where no tokenizer is at hand; English and HTML come near it."""


def roughly(text: str) -> int:
    """Tokens of a text, estimated."""
    return -(-len(text) // _CHARACTERS_PER_TOKEN)


@dataclass
class Estimate:
    """What would be asked, if every first answer could be used."""

    sessions: int = 0
    kept: int = 0
    """Steps whose rationale is there and is kept."""
    reused: int = 0
    """Steps whose rationale is in the journal."""
    requests: int = 0
    pages_cut: int = 0
    prompt_tokens: int = 0


def estimate(sessions: Iterable[Session], asking: Asking, measure: Measure, journal: Journal | None) -> Estimate:
    """Count sessions, one at a time; `measure` counts tokens."""
    result = Estimate()
    for session in sessions:
        result.sessions += 1
        for index, step in enumerate(session.steps):
            if not asking.wants(step):
                result.kept += 1
                continue
            request = make_request(session, index, asking)
            result.pages_cut += request.is_cut
            key = Key(session.session, index + 1, request.digest)
            if journal is not None and journal.rationale(key) is not None:
                result.reused += 1
                continue
            result.requests += 1
            result.prompt_tokens += request.length(measure)
    return result

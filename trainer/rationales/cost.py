"""What answers cost, and a limit on it that holds whatever is in flight."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import NamedTuple

from trainer.rationales.stop import Stop


class Tokens(NamedTuple):
    """Tokens in and out."""

    prompt: int = 0
    completion: int = 0

    def plus(self, other: "Tokens") -> "Tokens":
        """The sum."""
        return Tokens(self.prompt + other.prompt, self.completion + other.completion)

    def minus(self, other: "Tokens") -> "Tokens":
        """The difference."""
        return Tokens(self.prompt - other.prompt, self.completion - other.completion)


NO_TOKENS = Tokens()


class Prices(NamedTuple):
    """USD per million tokens."""

    input: float
    output: float

    def cost(self, tokens: Tokens) -> float:
        """What tokens cost, in USD."""
        return (tokens.prompt * self.input + tokens.completion * self.output) / 1e6


FREE = Prices(0, 0)


class BudgetSpent(Stop):
    """The next request could cost more than is left."""


@dataclass
class Reservation:
    """What one request used of what was kept for it."""

    used: Tokens = NO_TOKENS


@dataclass
class Budget:
    """An amount that no run may exceed, what is in flight counted at its worst."""

    prices: Prices
    limit: float
    """USD."""
    spent: Tokens = NO_TOKENS
    """What answers have used so far, by the server's count."""
    _in_flight: Tokens = NO_TOKENS
    _settled: asyncio.Condition = field(default_factory=asyncio.Condition)

    @asynccontextmanager
    async def reserve(self, worst: Tokens) -> AsyncIterator[Reservation]:
        """Room for one request that uses at most `worst`; waits while requests in flight may yet leave some.

        Raises BudgetSpent.
        """
        async with self._settled:
            while self.prices.cost(self.spent.plus(self._in_flight).plus(worst)) > self.limit:
                if self._in_flight == NO_TOKENS:
                    raise BudgetSpent(
                        f"${self.prices.cost(self.spent):.4f} of ${self.limit:.4f} is spent, "
                        f"and the next request could cost ${self.prices.cost(worst):.4f}"
                    )
                await self._settled.wait()
            self._in_flight = self._in_flight.plus(worst)
        reservation = Reservation()
        try:
            yield reservation
        finally:
            async with self._settled:
                self._in_flight = self._in_flight.minus(worst)
                self.spent = self.spent.plus(reservation.used)
                self._settled.notify_all()

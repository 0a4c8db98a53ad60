"""What answers cost, and the limit on it."""

import asyncio

import pytest

from trainer.rationales.cost import Budget, BudgetSpent, Prices, Tokens

DOLLAR_A_TOKEN = Prices(1e6, 1e6)


def test_prices_are_per_million_tokens() -> None:
    # Claude 3.5 Sonnet's: 3 USD in, 15 USD out. 2 million in and 100 thousand out are 6 + 1.5.
    assert Prices(3, 15).cost(Tokens(2_000_000, 100_000)) == pytest.approx(7.5)


def test_a_request_that_could_exceed_the_limit_is_not_made() -> None:
    async def run() -> None:
        budget = Budget(DOLLAR_A_TOKEN, 10, spent=Tokens(4, 0))
        async with budget.reserve(Tokens(5, 1)) as reservation:
            reservation.used = Tokens(2, 1)
        assert budget.spent == Tokens(6, 1)
        async with budget.reserve(Tokens(3, 0)):
            pass
        with pytest.raises(BudgetSpent, match=r"\$7\.0000 of \$10\.0000 is spent, and the next .* cost \$4\.0000"):
            async with budget.reserve(Tokens(3, 1)):
                pass

    asyncio.run(run())


def test_what_is_in_flight_counts_at_its_worst_and_is_waited_for() -> None:
    order: list[str] = []

    async def request(budget: Budget, name: str, used: int) -> None:
        async with budget.reserve(Tokens(6, 0)) as reservation:
            order.append(f"{name} starts")
            await asyncio.sleep(0)
            order.append(f"{name} ends")
            reservation.used = Tokens(used, 0)

    async def run() -> None:
        budget = Budget(DOLLAR_A_TOKEN, 10)
        # Both at their worst cost 12; once the first has cost 1, there is room for the second.
        await asyncio.gather(request(budget, "first", 1), request(budget, "second", 2))
        assert budget.spent == Tokens(3, 0)

    asyncio.run(run())
    assert order == ["first starts", "first ends", "second starts", "second ends"]


def test_a_request_that_fails_gives_its_room_back() -> None:
    async def run() -> None:
        budget = Budget(DOLLAR_A_TOKEN, 5)
        for _ in range(3):
            with pytest.raises(ZeroDivisionError):
                async with budget.reserve(Tokens(5, 0)):
                    raise ZeroDivisionError
        assert budget.spent == Tokens(0, 0)

    asyncio.run(run())


def test_many_requests_at_once_stay_under_the_limit_and_come_close_to_it() -> None:
    async def request(budget: Budget) -> None:
        async with budget.reserve(Tokens(7, 1)) as reservation:
            await asyncio.sleep(0)
            reservation.used = Tokens(2, 1)

    async def run() -> None:
        budget = Budget(Prices(1e5, 3e5), 100)
        outcomes = await asyncio.gather(*(request(budget) for _ in range(1_000)), return_exceptions=True)
        assert any(isinstance(outcome, BudgetSpent) for outcome in outcomes)
        # A request costs 0.5 and could cost 1.0.
        assert 99 < budget.prices.cost(budget.spent) <= 100

    asyncio.run(run())

"""How slowly a transfer may go."""

import asyncio
from typing import Any

import pytest

from config.pace import Pace, TooSlow


async def wait_for_ever(pace: Pace) -> None:
    async with pace.waiting():
        await asyncio.Event().wait()


def test_what_moves_fast_enough_may_go_on_as_long_as_the_whole_may_last(settings: Any) -> None:
    settings.STALL_SECONDS, settings.TRANSFER_RATE, settings.TRANSFER_SECONDS = 0.05, 100, 0.5

    async def move() -> None:
        pace = Pace()
        while True:
            async with pace.waiting():
                await asyncio.sleep(0.01)
            pace.moved(5)

    with pytest.raises(TooSlow):
        asyncio.run(asyncio.wait_for(move(), 20))


def test_a_client_that_moves_less_than_the_rate_is_too_slow(settings: Any) -> None:
    settings.STALL_SECONDS, settings.TRANSFER_RATE, settings.TRANSFER_SECONDS = 0.1, 1000, 1000

    async def drip() -> int:
        pace, moved = Pace(), 0
        try:
            while True:
                async with pace.waiting():
                    await asyncio.sleep(0.01)
                pace.moved(1)
                moved += 1
        except TooSlow:
            return moved

    assert asyncio.run(asyncio.wait_for(drip(), 20)) <= 10


def test_time_that_is_spent_here_is_not_the_clients(settings: Any) -> None:
    settings.STALL_SECONDS, settings.TRANSFER_RATE, settings.TRANSFER_SECONDS = 0.1, 1000, 1000

    async def serve() -> None:
        pace = Pace()
        for _ in range(5):
            await asyncio.sleep(0.1)
            async with pace.waiting():
                pass
            pace.moved(1)

    asyncio.run(serve())


def test_a_timeout_of_somebody_elses_is_passed_on(settings: Any) -> None:
    async def fail() -> None:
        async with Pace().waiting():
            raise TimeoutError

    with pytest.raises(TimeoutError):
        asyncio.run(fail())

"""A long answer gives back what it holds, however it ends."""

import asyncio
import gc
from collections.abc import Iterator

import pytest

from backups.errors import ObjectDamaged
from backups.streams import Stalled, Stream
from tests.service import eventually


class Source:
    """Pieces, and what became of them."""

    def __init__(self, broken: bool = False) -> None:
        self.broken = broken
        self.made = 0
        self.ended = False
        self.closed = 0

    def pieces(self) -> Iterator[bytes]:
        try:
            for number in range(5):
                self.made += 1
                yield bytes([number])
            if self.broken:
                raise ObjectDamaged("damaged")
        finally:
            self.ended = True

    def stream(self, patience: float = 60) -> Stream:
        return Stream(self.pieces(), closed=self.note, patience=patience)

    def note(self) -> None:
        self.closed += 1


async def read(stream: Stream, most: int) -> list[bytes]:
    found: list[bytes] = []
    async for piece in stream:
        found.append(piece)
        if len(found) == most:
            break
    return found


def test_all_pieces_come_in_order_and_it_is_closed_once() -> None:
    source = Source()
    stream = source.stream()
    assert asyncio.run(read(stream, 9)) == [bytes([number]) for number in range(5)]
    stream.close()
    stream.close()
    assert source.closed == 1


def test_one_that_is_left_half_way_ends_its_source() -> None:
    source = Source()
    stream = source.stream()
    asyncio.run(read(stream, 2))
    stream.close()
    eventually(lambda: source.ended, "the source is closed")
    assert (source.made, source.closed) == (2, 1)


def test_one_that_nobody_reads_nor_closes_gives_back_too() -> None:
    source = Source()
    stream = source.stream()
    del stream
    gc.collect()
    assert (source.made, source.closed) == (0, 1)


def test_one_that_nobody_reads_on_is_given_up(caplog: pytest.LogCaptureFixture) -> None:
    source = Source()

    async def stall() -> None:
        stream = source.stream(patience=0.01)
        assert await anext(stream) == b"\0"
        while not source.closed:
            await asyncio.sleep(0.001)
        with pytest.raises(Stalled):
            await anext(stream)

    asyncio.run(stall())
    eventually(lambda: source.ended, "the source is closed")
    assert (source.made, source.closed) == (1, 1)
    assert "too long" in caplog.text


def test_a_failure_reaches_the_server_and_is_logged(caplog: pytest.LogCaptureFixture) -> None:
    source = Source(broken=True)
    stream = source.stream()
    with pytest.raises(ObjectDamaged):
        asyncio.run(read(stream, 9))
    assert source.closed == 1
    assert "broken off" in caplog.text

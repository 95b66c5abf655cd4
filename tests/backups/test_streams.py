"""A long answer gives back what it holds, however it ends."""

import asyncio
from collections.abc import Iterator

import pytest

from backups.errors import ObjectDamaged
from backups.streams import Stream, Transfer
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

    def stream(self) -> Stream:
        return Stream(self.pieces(), closed=self.note)

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


def test_a_stream_ends_with_its_call_whether_it_began_before_that_or_after() -> None:
    for early in (True, False):
        source, transfer = Source(), Transfer()
        if early:
            transfer.begin(source.stream())
            assert source.closed == 0
        transfer.end()
        if not early:
            transfer.begin(source.stream())
        assert (source.made, source.closed) == (0, 1)
        transfer.end()
        assert source.closed == 1


def test_a_failure_reaches_the_server_and_is_logged(caplog: pytest.LogCaptureFixture) -> None:
    source = Source(broken=True)
    stream = source.stream()
    with pytest.raises(ObjectDamaged):
        asyncio.run(read(stream, 9))
    assert source.closed == 1
    assert "broken off" in caplog.text

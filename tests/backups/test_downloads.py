"""Nobody gets all bytes of a file that turns out to be wrong at its end."""

from collections.abc import Iterator

import pytest

from backups.downloads import gathered
from backups.errors import ObjectDamaged


def blocks(count: int, *, damaged: bool = False) -> Iterator[bytes]:
    for number in range(count):
        yield bytes([number]) * 10
    if damaged:
        raise ObjectDamaged("the whole is not what was backed up")


@pytest.mark.parametrize("count", range(9))
@pytest.mark.parametrize("size", [1, 10, 15, 20, 40, 1000])
def test_pieces_are_the_same_bytes(count: int, size: int) -> None:
    pieces = list(gathered(blocks(count), size))
    assert b"".join(pieces) == b"".join(blocks(count))
    assert all(len(piece) >= size for piece in pieces[:-1])


@pytest.mark.parametrize("count", range(1, 9))
@pytest.mark.parametrize("size", [1, 10, 15, 20, 40, 1000])
def test_the_last_piece_is_kept_back_if_the_end_shows_damage(count: int, size: int) -> None:
    given = b""
    with pytest.raises(ObjectDamaged):
        for piece in gathered(blocks(count, damaged=True), size):
            given += piece
    assert len(given) < 10 * count

"""The index keeps what it can in the room that it has, and is kept and read as it was."""

import random
from array import array
from itertools import pairwise
from pathlib import Path

import pytest

from backups.store.index import Index, Seen, grain_key, mark_mask
from backups.store.index_cache import IndexCache
from backups.store.seal import Keyring, Seal
from backups.store.shape import Shape

SHAPE = Shape(1 << 16, 1 << 12, 1 << 12)
KEY_ID = bytes(8)
SEAL = Seal(Keyring.of(bytes(32)), "g")


def keys(count: int, seed: int = 1) -> list[int]:
    return list(array("Q", random.Random(seed).randbytes(8 * count)))


def filled(count: int, most_bits: int = 21) -> tuple[Index, list[int]]:
    index = Index(KEY_ID, SHAPE, most_bits=most_bits)
    made = keys(count)
    index.add_all(7, ((key, place) for place, key in enumerate(made)))
    return index, made


def test_what_was_added_is_found_and_nothing_else() -> None:
    index, made = filled(5000)
    assert all(index.find(key) == [(7, place)] for place, key in enumerate(made))
    assert not any(index.find(key) for key in keys(5000, seed=2))


def test_it_never_grows_beyond_its_bound_and_thins_itself_out_evenly() -> None:
    """As a terabyte does to an index of 32 MB, in small."""
    index, made = filled(120_000, most_bits=13)
    assert index.table_bytes == 16 << 13
    assert len(index) <= (2 << 13) // 3
    found = [place for place, key in enumerate(made) if index.find(key) == [(7, place)]]
    assert len(found) == len(index) > 1 << 11
    assert index.thinned >= 4
    # No long part of the content is without any.
    gaps = [after - before for before, after in pairwise(found)]
    assert max(gaps) < 20 * len(made) / len(found)


def test_a_terabyte_of_blocks_takes_no_more_than_its_table() -> None:
    assert (Index(KEY_ID, SHAPE, bits=99)).table_bytes == 32 << 20
    blocks = (1 << 40) >> 16
    # Each time that the table is full every second key stays.
    assert blocks >> 4 < (2 << 21) // 3 < blocks >> 3
    assert mark_mask(blocks * 16).bit_count() >= 14, "some thousand marks"


def test_of_one_key_the_newest_are_kept() -> None:
    index = Index(KEY_ID, SHAPE)
    for version in range(1, 50):
        index.add_all(version, [(5, version), (5, version)])
    assert [version for version, _ in index.find(5)] == [49, 48, 47, 46]


def test_a_mark_has_another_key_at_another_place() -> None:
    assert len({grain_key(mark, place) for mark in range(40) for place in range(40)}) == 1600


@pytest.mark.parametrize("count", [0, 1, 3000, 200_000])
def test_it_is_read_as_it_was_kept(tmp_path: Path, count: int) -> None:
    index, made = filled(count)
    index.seen[7] = Seen(b"manifest", b"outlines", b"contents")
    index.gone = 3
    cache = IndexCache(tmp_path, "g", SEAL)
    cache.save(index)
    read = cache.load(KEY_ID, SHAPE)
    assert (read.seen, read.gone, read.thinned, len(read)) == (index.seen, 3, 0, count)
    assert all(read.find(key) == [(7, place)] for place, key in enumerate(made))
    other = cache.load(bytes(7) + b"1", SHAPE)
    assert (other.seen, len(other)) == ({}, 0)
    assert [path.suffix for path in tmp_path.iterdir()] == [".index"]


def test_what_a_killed_process_left_beside_it_goes_with_the_next_one(tmp_path: Path) -> None:
    cache = IndexCache(tmp_path, "g", SEAL)
    (tmp_path / ".g.12345678.index-aaaa.part").write_bytes(b"half of it")
    (tmp_path / ".h.12345678.index-aaaa.part").write_bytes(b"another project's")
    cache.save(filled(10)[0])
    assert [path.name[:2] for path in sorted(tmp_path.iterdir())] == [".h", "g."]


def test_a_thinned_index_stays_so_when_it_is_kept(tmp_path: Path) -> None:
    index, made = filled(120_000, most_bits=13)
    cache = IndexCache(tmp_path, "g", SEAL)
    cache.save(index)
    read = cache.load(KEY_ID, SHAPE)
    assert read.thinned == index.thinned
    assert [read.find(key) for key in made] == [index.find(key) for key in made]


def test_an_index_that_is_thinned_out_for_versions_that_are_gone_is_made_anew() -> None:
    index, _ = filled(20_000, most_bits=13)
    for version in range(5):
        index.seen[version] = Seen(b"", b"", b"")
    assert not index.is_outworn()
    for version in range(3):
        index.forget(version)
    assert index.is_outworn()

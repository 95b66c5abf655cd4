"""What outlines, layers and segments promise."""

import dataclasses
import random
from collections.abc import Callable
from itertools import pairwise
from typing import Any

import cbor2
import pytest
import zstandard
from hypothesis import given
from hypothesis import strategies as st

from backups.errors import KeyUnknown, ManifestUnreadable, ObjectMissing
from backups.store import layers, outline
from backups.store.changes import LayerInMaking, first_to_join
from backups.store.layers import Layer
from backups.store.memory import MemoryStore
from backups.store.outline import Outline
from backups.store.packs import Frame, Pack
from backups.store.seal import Keyring, Seal
from backups.store.segment import Segment, runs_of
from backups.store.shape import Shape
from backups.store.tables import Table, Tables, table_key

SEAL = Seal(Keyring.of(bytes(32)), "g")
SHAPE = Shape(block_size=40, grain=10, segment_blocks=3)


def example_outline() -> Outline:
    return Outline(
        unit="pages",
        unit_size=10,
        units=13,
        size=130,
        facts={"tables": {"t": 3, "u": None}},
        identifier_key=b"12345678",
        content_hash=bytes(32),
        shape=SHAPE,
        chains=((Table("ab" * 32, 500), Table("cd" * 32, 70)), (Table("ef" * 32, 80),)),
        packs={2: Pack("01" * 32, 1000), 7: Pack("23" * 32, 300)},
        next_pack=9,
    )


def example_layer() -> Layer:
    return Layer(
        blocks=[0, 2],
        ids=bytes(range(32)),
        grains=bytes([0b1111, 0b0101]),
        marks=bytes(range(48)),
        frames=[Frame(7, 0, 100, 70), Frame(2, 200, 50, 35)],
        runs=[(0, 2, 5), (1, 3, 1)],  # the last grain is cut short
    )


def test_they_read_as_they_were_written() -> None:
    assert outline.decoded(outline.encoded(example_outline(), SEAL), SEAL) == example_outline()
    nothing = dataclasses.replace(
        example_outline(), units=0, size=0, chains=(), packs={}, next_pack=0
    )
    assert outline.decoded(outline.encoded(nothing, SEAL), SEAL) == nothing
    layer = example_layer()
    assert layers.decoded(layers.encoded(layer, SEAL), SEAL, SHAPE) == layer
    empty = Layer([1], bytes(16), bytes(1), b"", [], [])
    assert layers.decoded(layers.encoded(empty, SEAL), SEAL, SHAPE) == empty


OUTLINE_CHANGES: list[dict[str, Any]] = [
    {"format": "other"},
    {"format_version": 2},
    {"size": 121 + 120},
    {"size": -1},
    {"unit_size": 0},
    {"facts": {1: 2}},
    {"content_hash": bytes(31)},
    {"identifier_key": bytes(9)},
    {"block_size": 0},
    {"block_size": 45},
    {"grain": 0},
    {"segment_blocks": 0},
    {"segment_blocks": 1},
    {"chain_lengths": [3]},
    {"chain_lengths": [3, 0]},
    {"chain_lengths": [2, 2]},
    {"chain_lengths": [4, -1]},
    {"layer_names": bytes(64)},
    {"layer_lengths": [500, -501, 10]},
    {"pack_names": bytes(32)},
    {"pack_numbers": [2, 0]},
    {"pack_numbers": [7, -5]},
    {"pack_numbers": [2, 7]},
    {"pack_lengths": [1000, 1.5]},
]

LAYER_CHANGES: list[dict[str, Any]] = [
    {"format": "savepoint-outline"},
    {"blocks": [0, 0]},
    {"blocks": [2, -2]},
    {"blocks": [0, 3]},
    {"blocks": [0]},
    {"ids": bytes(16)},
    {"ids": bytes(31)},
    {"grains": bytes([0b1111, 0b0001])},
    {"grains": bytes([0b1111, 0b10001])},
    {"grains": bytes([0b1111])},
    {"marks": bytes(40)},
    {"marks": b""},
    {"runs": {"frame": [0, 2], "slot": [2, 1], "count": [5, -4]}},
    {"runs": {"frame": [0, 1], "slot": [3, 0], "count": [5, -4]}},
    {"runs": {"frame": [0, 1], "slot": [2, 2], "count": [5, -4]}},
    {"runs": {"frame": [0, 1, 0], "slot": [2, 1, 0], "count": [5, -4, -1]}},
    {"runs": {"frame": [0], "slot": [2, 1], "count": [5, -4]}},
    {"runs": {"frame": [0, 1], "slot": [2, 1]}},
    {"frames": None},
    {"frames": {"pack": [7], "offset": [0], "length": [100], "raw_length": [70]}},
]


def changed(sealed: bytes, purpose: str, change: Callable[[dict[str, Any]], object]) -> bytes:
    """A well sealed record whose content was changed by somebody who has the key."""
    fields = cbor2.loads(zstandard.decompress(SEAL.unseal(sealed, purpose)))
    change(fields)
    return SEAL.seal(zstandard.compress(cbor2.dumps(fields, canonical=True)), purpose)


def with_outline(change: Callable[[dict[str, Any]], object]) -> Outline:
    sealed = changed(outline.encoded(example_outline(), SEAL), "outline", change)
    return outline.decoded(sealed, SEAL)


def with_layer(change: Callable[[dict[str, Any]], object]) -> Layer:
    sealed = changed(layers.encoded(example_layer(), SEAL), "layer", change)
    return layers.decoded(sealed, SEAL, SHAPE)


def test_the_examples_are_sound_before_they_are_changed() -> None:
    assert with_outline(lambda fields: None) == example_outline()
    assert with_layer(lambda fields: None) == example_layer()


@pytest.mark.parametrize("change", OUTLINE_CHANGES, ids=repr)
def test_an_outline_that_is_not_consistent_is_refused(change: dict[str, Any]) -> None:
    with pytest.raises(ManifestUnreadable):
        with_outline(lambda fields: fields.update(change))


@pytest.mark.parametrize("change", LAYER_CHANGES, ids=repr)
def test_a_layer_that_is_not_consistent_is_refused(change: dict[str, Any]) -> None:
    with pytest.raises(ManifestUnreadable):
        with_layer(lambda fields: fields.update(change))


def test_every_field_must_be_there() -> None:
    for sealed, purpose, read in (
        (outline.encoded(example_outline(), SEAL), "outline", with_outline),
        (layers.encoded(example_layer(), SEAL), "layer", with_layer),
    ):
        names = cbor2.loads(zstandard.decompress(SEAL.unseal(sealed, purpose)))
        for name in names:
            with pytest.raises(ManifestUnreadable):
                read(lambda fields, name=name: fields.pop(name))


def test_a_table_is_found_by_its_name_and_any_damage_to_it_is_told() -> None:
    store = MemoryStore()
    tables = Tables(store, "g")
    table = tables.put(outline.encoded(example_outline(), SEAL))
    assert outline.decoded(tables.get(table), SEAL) == example_outline()
    with pytest.raises(KeyUnknown):
        outline.decoded(tables.get(table), Seal(Keyring.of(bytes(31) + b"1"), "g"))
    key = table_key("g", table.name)
    data = store.get(key)
    for place in range(len(data)):
        store.delete(key)
        store.put(key, data[:place] + bytes([data[place] ^ 1]) + data[place + 1 :])
        with pytest.raises(ManifestUnreadable):
            tables.get(table)
    store.delete(key)
    with pytest.raises(ObjectMissing):
        tables.get(table)


def test_the_same_table_is_never_put_twice_so_who_put_it_may_delete_it() -> None:
    store = MemoryStore()
    first, second = Tables(store, "g"), Tables(store, "g")
    kept = first.put(outline.encoded(example_outline(), SEAL))
    assert second.put(outline.encoded(example_outline(), SEAL)) != kept
    second.abort()
    assert list(store.list("")) == [table_key("g", kept.name)]


@given(st.integers(0, (1 << 24) - 1))
def test_rows_of_bits(bits: int) -> None:
    found = runs_of(bits.to_bytes(3, "little"))
    assert sum((1 << end) - (1 << start) for start, end in found) == bits
    assert all(end < start for (_, end), (start, _) in pairwise(found))


def random_history(seed: int, count: int) -> tuple[list[Layer], list[dict[int, Any]]]:
    """Layers on a segment of the example's shape, and what each grain is after each of them."""
    chance = random.Random(seed)
    state: dict[int, Any] = {}
    states, found = [], []
    for number in range(count):
        changes = LayerInMaking(SHAPE)
        frames = [Frame(number, place, 1, 1000) for place in range(4)]
        slot, frame = 0, 0
        for block in range(3):
            grains = [g for g in range(4) if not number or chance.random() < 0.4]
            if number and chance.random() < 0.4:
                continue
            marks = chance.randbytes(32)
            for grain in grains:
                if chance.random() < 0.3:
                    frame, slot = min(3, frame + 1), slot + 1
                changes.run(frames[frame], slot, 1)
                place = (frames[frame], slot, marks[8 * grain : 8 * grain + 8])
                state[4 * block + grain] = place
                slot += 1
            block_id = chance.randbytes(16)
            state[-1 - block] = block_id
            changes.block(block, block_id, marks, grains)
        if changes.blocks:
            found.append(changes.layer())
            states.append(dict(state))
    return found, states


def state_of(segment: Segment) -> dict[int, Any]:
    state: dict[int, Any] = {-1 - block: segment.block_id(block) for block in range(3)}
    for block in range(3):
        marks, grain = segment.marks(block, 4), 0
        for frame, slot, count in segment.runs(block, 0, 4):
            for step in range(count):
                mark = marks[8 * grain : 8 * grain + 8]
                state[4 * block + grain] = (segment.frames[frame], slot + step, mark)
                grain += 1
    return state


@given(st.integers(0, 10**6), st.integers(1, 9), st.integers(0, 8))
def test_layers_can_be_joined_anywhere(seed: int, count: int, since: int) -> None:
    history, states = random_history(seed, count)
    since = min(since, len(history) - 1)
    segment = Segment(SHAPE)
    for layer, state in zip(history, states, strict=True):
        segment.apply(layers.decoded(layers.encoded(layer, SEAL), SEAL, SHAPE))
        assert state_of(segment) == state
    segment.check_whole(12)
    joined = segment.layer(since, 12)
    shorter = Segment(SHAPE)
    for layer in [*history[:since], layers.decoded(layers.encoded(joined, SEAL), SEAL, SHAPE)]:
        shorter.apply(layer)
    assert state_of(shorter) == states[-1]


def test_what_no_layer_tells_of_is_noticed() -> None:
    segment = Segment(SHAPE)
    segment.apply(example_layer())
    segment.check_whole(4)
    with pytest.raises(ManifestUnreadable):
        segment.check_whole(5)


@given(st.lists(st.integers(0, 1000), min_size=1, max_size=400), st.integers(1, 100_000))
def test_there_are_never_many_layers_and_none_is_written_often(
    changes: list[int], base: int
) -> None:
    chain, written = [base], 0
    for change in changes:
        chain.append(change)
        first = first_to_join(chain)
        chain[first:] = [min(sum(chain[first:]), base) if first == 0 else sum(chain[first:])]
        written += chain[-1]
        assert len(chain) <= 16
    # Each time that as much has changed as the first has it is written again; else few times.
    assert written <= 8 * (sum(changes) + max(changes) * 17) + base

"""What every object store promises."""

from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from backups.errors import ObjectDamaged, ObjectMissing
from backups.store.local import LocalStore
from backups.store.memory import MemoryStore
from backups.store.objects import ObjectStore, checked_key

KINDS: dict[str, Callable[[Path], ObjectStore]] = {
    "local": lambda folder: LocalStore(folder / "made" / "when" / "needed"),
    "memory": lambda folder: MemoryStore(),
}


@pytest.fixture(params=KINDS)
def store(request: pytest.FixtureRequest, tmp_path: Path) -> ObjectStore:
    return KINDS[request.param](tmp_path)


def test_what_is_put_is_got(store: ObjectStore) -> None:
    store.put("g/packs/ab/abc", b"0123456789")
    store.put("g/empty", b"")
    store.flush()
    assert store.get("g/packs/ab/abc") == b"0123456789"
    assert store.size("g/packs/ab/abc") == 10
    assert (store.get("g/empty"), store.size("g/empty")) == (b"", 0)


def test_any_data_like_bytes_may_be_put(store: ObjectStore) -> None:
    store.put("a", bytearray(b"ab"))  # type: ignore[arg-type]
    store.put("b", memoryview(b"cd"))  # type: ignore[arg-type]
    assert store.get("a") + store.get("b") == b"abcd"


def test_the_first_put_wins(store: ObjectStore) -> None:
    store.put("g/a", b"first")
    store.put("g/a", b"second")
    assert store.get("g/a") == b"first"


def test_ranges(store: ObjectStore) -> None:
    store.put("g/a", b"0123456789")
    assert store.get("g/a", 3) == b"3456789"
    assert store.get("g/a", 3, 4) == b"3456"
    assert store.get("g/a", 0, 10) == b"0123456789"
    assert store.get("g/a", 10) == b""
    assert store.get("g/a", 10, 0) == b""


@pytest.mark.parametrize(("offset", "length"), [(0, 11), (7, 4), (11, None), (11, 0), (20, 1)])
def test_a_range_beyond_the_end_is_damage(
    store: ObjectStore, offset: int, length: int | None
) -> None:
    store.put("g/a", b"0123456789")
    with pytest.raises(ObjectDamaged):
        store.get("g/a", offset, length)


def test_what_is_not_there_is_missing(store: ObjectStore) -> None:
    store.put("g/a", b"x")
    for key in ("g/b", "none/a", "g/a/below", "g"):
        with pytest.raises(ObjectMissing):
            store.get(key)
        with pytest.raises(ObjectMissing):
            store.size(key)


def test_deleting_may_be_repeated(store: ObjectStore) -> None:
    store.put("g/a", b"x")
    store.delete("g/a")
    store.delete("g/a")
    store.delete("never/was")
    assert list(store.list("")) == []
    store.put("g/a", b"y")
    assert store.get("g/a") == b"y"
    store.flush()


def test_listing_gives_the_keys_with_a_prefix_in_order(store: ObjectStore) -> None:
    keys = ["a-b/x", "a/b/c", "a/b1", "a/c", "ab", "b/1", "b/10", "b/2"]
    for key in reversed(keys):
        store.put(key, key.encode())
    assert list(store.list("")) == sorted(keys)
    for prefix in ("a", "a/", "a/b", "a/b/", "a/b/c", "b/1", "c", "c/d", "a/b/c/d"):
        assert list(store.list(prefix)) == sorted(k for k in keys if k.startswith(prefix)), prefix


def test_objects_may_be_deleted_while_they_are_listed(store: ObjectStore) -> None:
    for number in range(5):
        store.put(f"g/{number}", b"x")
    for key in store.list("g/"):
        store.delete(key)
    assert list(store.list("g/")) == []


BAD_KEYS = [
    "",
    "/a",
    "a/",
    "a//b",
    "..",
    "a/../b",
    "./a",
    "a/.hidden",
    ".a",
    "a\\b",
    "a b",
    "ä",
    "a\n",
]


@pytest.mark.parametrize("key", [*BAD_KEYS, "a" * 513])
def test_a_key_that_could_lead_out_of_the_store_is_refused(store: ObjectStore, key: str) -> None:
    for verb in (lambda: store.put(key, b"x"), lambda: store.get(key), lambda: store.delete(key)):
        with pytest.raises(ValueError, match="key"):
            verb()


@given(st.text(max_size=30))
def test_a_checked_key_has_no_parts_that_mean_something_to_a_file_system(key: str) -> None:
    try:
        checked_key(key)
    except ValueError:
        return
    assert all(part and not part.startswith(".") for part in key.split("/"))
    assert "\0" not in key and "\\" not in key


def test_a_power_failure_takes_only_what_was_not_flushed() -> None:
    store = MemoryStore()
    store.put("a", b"x")
    store.flush()
    store.put("b", b"x")
    store.lose_unflushed()
    assert list(store.list("")) == ["a"]

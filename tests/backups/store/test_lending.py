"""What any listed version holds is not stored again, and nothing depends on how it is found."""

import random
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from backups.errors import StorageUnwritable
from backups.pipeline import Taken
from backups.store import indexing
from backups.store.local import LocalStore
from backups.store.memory import MemoryStore
from backups.store.objects import ObjectStore
from backups.store.project import ProjectStore
from backups.store.seal import Keyring
from tests.backups.engines.memory_engine import BytesSnapshot
from tests.backups.format_reader import FormatReader
from tests.backups.versions import KEY, UnitsEngine, Versions, small_project

UNIT = 4096
BLOCK = 4 * UNIT
NEW_KEY = bytes(range(32))


def some_bytes(units: int, seed: int) -> bytes:
    return random.Random(seed).randbytes(UNIT * units)


def with_new_first_unit(data: bytes, seed: int) -> bytes:
    """As SQLite leaves a database that was put back: its first page tells of the change."""
    return some_bytes(1, seed) + data[UNIT:]


class Project:
    """Versions, and what each of them held."""

    def __init__(self, cache: Path | None = None, store: ObjectStore | None = None) -> None:
        self.store = store or MemoryStore()
        self.cache = cache
        self.versions = Versions(small_project(self.store, unit=UNIT, cache=cache))
        self.contents: dict[int, bytes] = {}

    @property
    def listed(self) -> dict[int, str]:
        return self.versions.listed

    def take(self, data: bytes) -> Taken:
        taken = self.versions.take(UnitsEngine(data, UNIT))
        self.contents[self.versions.last] = data
        return taken

    def take_alone(self, data: bytes) -> Taken:
        """A version that takes from no other."""
        taken = self.versions.make(UnitsEngine(data, UNIT), None)
        self.listed[self.versions.last] = taken.manifest_key
        self.contents[self.versions.last] = data
        return taken

    def packs(self) -> set[str]:
        return set(self.versions.project_store.pack_keys())

    def assert_restorable(self) -> None:
        for version in self.listed:
            assert self.versions.content(version) == self.contents[version]


def test_going_to_and_fro_between_two_contents_costs_no_more_than_a_hundredth(
    tmp_path: Path,
) -> None:
    project = Project(tmp_path)
    first, second = some_bytes(600, 1), some_bytes(500, 2)
    project.take(first)
    project.take(second)
    for number in range(8):
        data = with_new_first_unit(first if number % 2 == 0 else second, 10 + number)
        taken = project.take(data)
        assert taken.stored < len(data) / 100
    project.assert_restorable()


def test_a_copy_of_any_version_costs_next_to_nothing(tmp_path: Path) -> None:
    project = Project(tmp_path)
    contents = [some_bytes(200, seed) for seed in range(6)]
    for data in contents:
        project.take(data)
    packs = project.packs()
    for data in contents:
        assert project.take(data).stored < 2000
    assert project.packs() == packs
    project.assert_restorable()


def test_facts_of_a_known_content_are_not_found_out_again() -> None:
    class Told(UnitsEngine):
        """Says something else of itself each time that it is asked."""

        def __init__(self, data: bytes, facts: str) -> None:
            super().__init__(data, UNIT)
            self._facts = facts

        @contextmanager
        def snapshot(self, *, keep_damaged: bool = False) -> Iterator[BytesSnapshot]:
            with super().snapshot(keep_damaged=keep_damaged) as snapshot:
                snapshot.facts = {"structure_checked": True, "told": self._facts}
                yield snapshot

    versions = Project().versions
    first = versions.take(Told(some_bytes(50, 1), "first"))
    assert versions.take(Told(some_bytes(60, 2), "second")).facts["told"] == "second"
    again = versions.take(Told(some_bytes(50, 1), "third"))
    assert again.content_hash == first.content_hash
    assert again.facts == first.facts
    assert again.parent_version == 2
    assert not again.unchanged


def test_pages_of_several_versions_are_found_each_at_its_place(tmp_path: Path) -> None:
    """No block is what any version has; each of its pages is."""
    project = Project(tmp_path)
    count = 400
    contents = [some_bytes(count, seed) for seed in range(3)]
    for data in contents:
        project.take(data)
    packs = project.packs()
    chance = random.Random(4)
    mixed = b"".join(
        contents[chance.randrange(3)][UNIT * number : UNIT * (number + 1)]
        for number in range(count)
    )
    taken = project.take(mixed)
    assert project.packs() == packs
    assert taken.stored < len(mixed) / 50
    project.assert_restorable()


def test_blocks_are_found_at_other_places_in_other_versions(tmp_path: Path) -> None:
    project = Project(tmp_path)
    first = some_bytes(400, 1)
    project.take(first)
    project.take(some_bytes(300, 2))
    shifted = some_bytes(4, 3) + first[: 200 * UNIT] + some_bytes(8, 4) + first[200 * UNIT :]
    taken = project.take(shifted)
    assert taken.stored < 12 * UNIT + len(shifted) / 50
    project.assert_restorable()


def test_what_is_written_over_at_its_place_is_found_when_it_comes_later(tmp_path: Path) -> None:
    project = Project(tmp_path)
    first = some_bytes(120, 1)
    project.take(first)
    moved = some_bytes(24, 2) + some_bytes(32, 3) + first[56 * UNIT :] + first[: 24 * UNIT]
    assert project.take(moved).stored < 58 * UNIT
    project.assert_restorable()


def test_what_lies_beyond_the_end_of_a_version_is_not_taken_for_its_own(tmp_path: Path) -> None:
    """Layers go on to tell of what a content held when it was longer; its packs may be gone."""
    project = Project(tmp_path)
    first = some_bytes(47, 1)
    project.take(first)
    project.take(first[: 36 * UNIT])
    del project.listed[1]
    project.versions.sweep()
    project.take(first)
    project.assert_restorable()


@pytest.mark.parametrize("copies", [2, 3, 7])
def test_what_is_repeated_in_a_version_is_stored_once(copies: int) -> None:
    project = Project()
    once = some_bytes(100, 1)
    taken = project.take(once * copies)
    assert taken.stored < 1.1 * len(once)
    zeros = project.take(bytes(BLOCK * 200) + once)
    assert zeros.stored < len(once) / 10
    project.assert_restorable()


def test_what_lends_may_be_deleted_and_swept(tmp_path: Path) -> None:
    project = Project(tmp_path)
    first, second = some_bytes(300, 1), some_bytes(300, 2)
    project.take(first)
    project.take(second)
    project.take(with_new_first_unit(first, 3))
    project.take(second[: 100 * UNIT] + first[100 * UNIT :])
    for version in (1, 3, 2):
        del project.listed[version]
        project.versions.sweep()
        assert set(project.store.list("")) == project.versions.needed()
        project.assert_restorable()
    assert project.take(first).stored < 2 * len(first) / 3
    project.assert_restorable()


def test_a_content_is_found_when_the_version_that_brought_it_is_gone(tmp_path: Path) -> None:
    project = Project(tmp_path)
    first, second = some_bytes(300, 1), some_bytes(300, 2)
    project.take(first)
    project.take(with_new_first_unit(first, 3))
    project.take(second)
    del project.listed[1]
    project.versions.sweep()
    assert project.take(first).stored < len(first) / 50
    project.take(second)
    del project.listed[3]
    project.versions.sweep()
    assert project.take(with_new_first_unit(second, 4)).stored < len(second) / 50
    project.assert_restorable()


def test_a_version_that_is_not_listed_lends_nothing(tmp_path: Path) -> None:
    project = Project(tmp_path)
    first = some_bytes(200, 1)
    project.take(first)
    project.take(some_bytes(200, 2))
    deleted = project.versions.needed()
    del project.listed[1]
    kept = project.versions.needed()
    project.take(first)
    assert not project.versions.needed() & (deleted - kept)
    project.versions.sweep()
    project.assert_restorable()


@pytest.mark.parametrize("harm", ["lost", "cut", "flipped", "empty", "another project's", "old"])
def test_an_index_that_is_of_no_use_costs_nothing_but_time(tmp_path: Path, harm: str) -> None:
    project = Project(tmp_path)
    first, second = some_bytes(300, 1), some_bytes(300, 2)
    project.take(first)
    (file,) = tmp_path.iterdir()
    old = file.read_bytes()
    project.take(second)
    data = file.read_bytes()
    harmed: dict[str, Callable[[], object]] = {
        "lost": file.unlink,
        "cut": lambda: file.write_bytes(data[:-100]),
        "flipped": lambda: file.write_bytes(data[:-900] + bytes([data[-900] ^ 1]) + data[-899:]),
        "empty": lambda: file.write_bytes(b""),
        "another project's": lambda: file.write_bytes(_index_of_another(tmp_path / "other")),
        "old": lambda: file.write_bytes(old),
    }
    harmed[harm]()
    for number in range(3):
        assert project.take(with_new_first_unit(first, 5 + number)).stored < len(first) / 50
        assert project.take(with_new_first_unit(second, 8 + number)).stored < len(second) / 50
    project.assert_restorable()


def test_an_index_is_told_of_many_versions_bit_by_bit(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    project = Project(tmp_path)
    contents = [some_bytes(100, seed) for seed in range(7)]
    for data in contents:
        project.take(data)
    (file,) = tmp_path.iterdir()
    file.unlink()
    monkeypatch.setattr(indexing, "MOST_VERSIONS", 2)
    assert project.take(contents[0]).stored > len(contents[0]) / 2, "not all is known at once"
    del project.listed[8]
    for seed in range(3):
        project.take(with_new_first_unit(contents[6], 10 + seed))
    for data in contents:
        assert project.take(data).stored < len(data) / 50
    project.assert_restorable()


def _index_of_another(folder: Path) -> bytes:
    other = Versions(small_project(gid="h", unit=UNIT, cache=folder))
    other.take(UnitsEngine(some_bytes(50, 9), UNIT))
    (file,) = folder.iterdir()
    return file.read_bytes()


def test_versions_are_made_when_the_index_can_be_neither_read_nor_written(tmp_path: Path) -> None:
    folder = tmp_path / "file"
    folder.write_bytes(b"")
    project = Project(folder)
    first = some_bytes(100, 1)
    for data in (first, some_bytes(100, 2), first):
        project.take(data)
    project.assert_restorable()


def test_the_index_tells_nobody_anything(tmp_path: Path) -> None:
    """Marks must not be known: who knows enough of them can tell what gives the same."""
    project = Project(tmp_path)
    data = some_bytes(100, 1)
    project.take(data)
    (file,) = tmp_path.iterdir()
    assert file.stat().st_mode & 0o777 == 0o600
    fingerprints = project.versions.project_store.fingerprints()
    kept = file.read_bytes()
    for start in range(0, len(data), BLOCK):
        assert fingerprints.block_id(data[start : start + BLOCK])[:8] not in kept
        marks = fingerprints.marks(data[start : start + BLOCK], UNIT)
        assert all(marks[at : at + 8] not in kept for at in range(0, len(marks), 8))


def test_a_deleted_project_leaves_no_index(tmp_path: Path) -> None:
    from backups.pipeline import purge

    project = Project(tmp_path)
    project.take(some_bytes(10, 1))
    assert list(tmp_path.iterdir())
    purge(project.versions.project_store, lambda *_: None)
    assert list(tmp_path.iterdir()) == []


def rotated(project: Project, *keys: bytes) -> ProjectStore:
    return small_project(project.store, keyring=Keyring.of(*keys), unit=UNIT, cache=project.cache)


def test_keys_can_be_rotated_and_contents_are_found_as_long_as_the_old_key_is_there(
    tmp_path: Path,
) -> None:
    project = Project(tmp_path)
    first, second = some_bytes(200, 1), some_bytes(200, 2)
    project.take(first)
    project.take(second)
    project.versions.project_store = rotated(project, NEW_KEY, KEY)
    assert project.take(first).stored < len(first) / 50
    project.assert_restorable()

    project.versions.project_store = rotated(project, NEW_KEY)
    assert project.take(second).stored > len(second), "what is sealed with the old key is no use"
    assert project.take(first).stored > len(first)
    assert project.take(second).stored < len(second) / 50
    project.versions.project_store = rotated(project, NEW_KEY, KEY)
    project.assert_restorable()


def test_lines_that_call_different_packs_by_the_same_numbers_come_together(
    tmp_path: Path,
) -> None:
    """Versions that were made without one another, as all were after damage."""
    project = Project(tmp_path)
    contents = [some_bytes(200, seed) for seed in range(3)]
    for data in contents:
        project.take_alone(data)
    packs = project.packs()
    third = 64 * UNIT
    mixed = [
        contents[0][:third] + contents[1][third : 2 * third] + contents[2][2 * third :],
        contents[2][:third] + contents[0][third : 2 * third] + contents[1][2 * third :],
        b"".join(
            contents[number % 3][number * UNIT : (number + 1) * UNIT] for number in range(200)
        ),
    ]
    for data in mixed * 2:
        assert project.take(data).stored < len(data) / 20
    assert project.packs() == packs
    project.assert_restorable()
    for version in (2, 4, 1, 6):
        del project.listed[version]
        project.versions.sweep()
        assert set(project.store.list("")) == project.versions.needed()
        project.assert_restorable()
    for data in contents:
        project.take(with_new_first_unit(data, 7))
    project.assert_restorable()


def test_an_independent_reader_gives_versions_that_took_from_several_others(
    tmp_path: Path,
) -> None:
    """To and fro, shifted, mixed page by page, repeated; two lines with the same pack numbers."""
    project = Project(tmp_path / "cache", LocalStore(tmp_path / "store"))
    first, second = some_bytes(100, 1), some_bytes(120, 2)
    project.take_alone(first)
    project.take_alone(second)
    packs = project.packs()
    project.take(first)
    project.take(second[BLOCK:] + first[2 * BLOCK :] * 2)
    project.take(
        b"".join(
            (first, second)[number % 2][number * UNIT : (number + 1) * UNIT]
            for number in range(100)
        )
    )
    project.take(second[: 80 * UNIT])
    assert project.packs() == packs
    project.take(with_new_first_unit(second, 3))
    reader = FormatReader(tmp_path / "store", [KEY], "g")
    for version, (name,) in reader.manifests().items():
        assert reader.content(name) == project.contents[version]


def test_what_a_lender_has_lost_is_stored_again(tmp_path: Path) -> None:
    project = Project(tmp_path)
    first = some_bytes(200, 1)
    project.take(first)
    packs = sorted(project.packs())
    project.take(some_bytes(200, 2))
    lost, cut = packs[0], packs[-1]
    project.store.delete(lost)
    data = project.store.get(cut)
    project.store.delete(cut)
    project.store.put(cut, data[:-1])
    del project.contents[1]
    project.take(first)
    assert project.versions.content(3) == first
    project.take(some_bytes(200, 2))
    project.take(with_new_first_unit(first, 3))
    assert project.versions.content(5) == with_new_first_unit(first, 3)


@pytest.mark.parametrize("kind", ["manifests", "tables"])
def test_a_lender_that_cannot_be_read_lends_nothing_and_is_in_nobodys_way(
    tmp_path: Path, kind: str
) -> None:
    project = Project(tmp_path)
    first, second = some_bytes(200, 1), some_bytes(200, 2)
    project.take(first)
    of_first = set(project.store.list(f"g/{kind}/"))
    project.take(second)
    for key in of_first:
        data = project.store.get(key)
        project.store.delete(key)
        project.store.put(key, data[:-1] + bytes([data[-1] ^ 1]))
    project.take(first)
    project.take(with_new_first_unit(second, 3))
    project.take(with_new_first_unit(first, 4))
    for version in (2, 3, 4, 5):
        assert project.versions.content(version) == project.contents[version]


@pytest.mark.parametrize("kind", ["manifests", "tables", "packs"])
def test_an_old_version_that_is_out_of_reach_breaks_no_new_one_off(
    tmp_path: Path, kind: str
) -> None:
    class OutOfReach(MemoryStore):
        closed: frozenset[str] = frozenset()

        def get(self, key: str, offset: int = 0, length: int | None = None) -> bytes:
            self._enter(key)
            return super().get(key, offset, length)

        def size(self, key: str) -> int:
            self._enter(key)
            return super().size(key)

        def _enter(self, key: str) -> None:
            if key in self.closed:
                raise StorageUnwritable("the backup storage cannot be read: Permission denied")

    store = OutOfReach()
    project = Project(tmp_path, store)
    first, second = some_bytes(100, 1), some_bytes(100, 2)
    project.take(first)
    of_first = frozenset(store.list(f"g/{kind}/"))
    project.take(second)
    for path in tmp_path.iterdir():
        if kind == "tables":
            path.unlink()  # so that they would be read for the index too
    store.closed = of_first
    project.take(first)
    project.take(with_new_first_unit(second, 3))
    store.closed = frozenset()
    project.assert_restorable()


def test_the_newest_that_can_be_read_leads_when_the_parent_cannot(tmp_path: Path) -> None:
    project = Project(tmp_path)
    first = some_bytes(200, 1)
    project.take(first)
    newest = project.take(with_new_first_unit(first, 2))
    project.store.delete(newest.manifest_key)
    taken = project.take(with_new_first_unit(first, 3))
    assert taken.parent_version == 1
    assert taken.stored < len(first) / 50
    assert project.versions.content(3) == project.contents[3]

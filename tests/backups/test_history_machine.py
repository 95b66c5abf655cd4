"""Random histories against a model in memory: whatever happens, each listed version restores."""

import os
import random
import shutil
import tempfile
from collections.abc import Callable
from pathlib import Path

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from backups.engines.sqlite import SqliteEngine
from backups.errors import ManifestUnreadable
from backups.store.memory import MemoryStore

from .engines.sqlite_files import make_database, pages_of
from .versions import UNIT, UnitsEngine, Versions, content_of, needed_by, small_project

GRACE = 10.0
MOST_VERSIONS = 6
# So many histories, of some 30 steps each. A long run: HISTORIES=3000 pytest this_file.
HISTORIES = int(os.environ.get("HISTORIES", "50"))


class PowerFailure(BaseException):
    """The machine is off: whatever the program still tries to do is not done."""


class FailingStore(MemoryStore):
    """Fails for good at the n-th call that changes something, until the power is back."""

    def __init__(self) -> None:
        super().__init__()
        self.left: int | None = None

    def put(self, key: str, data: bytes | memoryview) -> None:
        self._step()
        super().put(key, data)

    def delete(self, key: str) -> None:
        self._step()
        super().delete(key)

    def flush(self) -> None:
        self._step()
        super().flush()

    def power_up(self) -> None:
        """Start again, with what a power failure leaves."""
        self.left = None
        self.lose_unflushed()

    def _step(self) -> None:
        if self.left is not None:
            self.left -= 1
            if self.left <= 0:
                raise PowerFailure


class History(RuleBasedStateMachine):
    """A project whose database is only some bytes: the model is what each version held.

    Readers are others who read a version that may be deleted or written anew meanwhile. The index
    is kept in a folder, and may be lost, damaged or be one of long ago.
    """

    def __init__(self) -> None:
        super().__init__()
        self.store = FailingStore()
        self.now = 1e9
        self.cache = Path(tempfile.mkdtemp(prefix="history-"))
        self.old_index: dict[str, bytes] = {}
        self.versions = Versions(small_project(self.store, cache=self.cache), lambda: self.now)
        self.contents: dict[int, bytes] = {}
        self.readers: list[tuple[float, str, bytes]] = []
        self.engine = UnitsEngine(random.Random(0).randbytes(UNIT * 100))
        self.damaged = False

    def teardown(self) -> None:
        shutil.rmtree(self.cache)

    @rule(seed=st.integers(0, 10**6), units=st.integers(1, 90))
    def grow(self, seed: int, units: int) -> None:
        self.engine.data += random.Random(seed).randbytes(UNIT * units)

    @rule(units=st.integers(1, 60))
    def shrink(self, units: int) -> None:
        self.engine.data = self.engine.data[: max(0, len(self.engine.data) - UNIT * units)]

    @precondition(lambda self: len(self.versions.listed) < MOST_VERSIONS)
    @rule(seed=st.integers(0, 10**6), counts=st.lists(st.integers(0, 40), min_size=1, max_size=4))
    def change_and_backup(self, seed: int, counts: list[int]) -> None:
        """Change so many units before each of some versions."""
        chance = random.Random(seed)
        for count in counts:
            self._change(chance, count)
            self._take()

    @precondition(lambda self: self.versions.listed)
    @rule()
    def backup_without_a_change(self) -> None:
        self.versions.put_back(max(self.versions.listed), self.engine)
        key = self._take()
        new = needed_by(self.versions.project_store, [key])
        others = [self.versions.listed[version] for version in sorted(self.versions.listed)[:-1]]
        assert new - needed_by(self.versions.project_store, others) == {key}

    @precondition(lambda self: self.versions.listed)
    @rule(chosen=st.integers(0, 99))
    def restore(self, chosen: int) -> None:
        version = self._version(chosen)
        self.versions.put_back(version, self.engine)
        assert self.engine.data == self.contents[version]

    @precondition(lambda self: 0 < len(self.versions.listed) < MOST_VERSIONS)
    @rule(chosen=st.integers(0, 99), seed=st.integers(0, 10**6), count=st.integers(0, 3))
    def go_back_and_backup(self, chosen: int, seed: int, count: int) -> None:
        """As an undo, or an import of a copy: what a listed version holds, but for a few units."""
        self.engine.data = self.contents[self._version(chosen)]
        self._change(random.Random(seed), count)
        packs = set(self.versions.project_store.pack_keys())
        self._take()
        new = set(self.versions.project_store.pack_keys()) - packs
        assert sum(map(self.store.size, new)) <= count * 80

    @precondition(lambda self: 0 < len(self.versions.listed) < MOST_VERSIONS)
    @rule(chosen=st.lists(st.integers(0, 99), min_size=2, max_size=2), seed=st.integers(0, 10**6))
    def mix_two_versions_and_backup(self, chosen: list[int], seed: int) -> None:
        """Each unit is that of one of two listed versions, at its place."""
        chance = random.Random(seed)
        contents = [self.contents[self._version(one)] for one in chosen]
        self.engine.data = b"".join(
            chance.choice(contents)[at : at + UNIT] or contents[0][at : at + UNIT]
            for at in range(0, len(contents[0]), UNIT)
        )
        self._take()

    @precondition(lambda self: 0 < len(self.versions.listed) < MOST_VERSIONS)
    @rule(
        chosen=st.lists(st.integers(0, 99), min_size=1, max_size=3),
        starts=st.lists(st.integers(0, 30), min_size=4, max_size=4),
    )
    def rearrange_and_backup(self, chosen: list[int], starts: list[int]) -> None:
        """Blocks of listed versions at other places, some of them more than once."""
        parts = [
            self.contents[self._version(one)][4 * UNIT * start :][: 4 * UNIT * (1 + start % 9)]
            for one in chosen
            for start in starts
        ]
        self.engine.data = b"".join(part for part in parts if len(part) % (4 * UNIT) == 0)
        packs = set(self.versions.project_store.pack_keys())
        self._take()
        assert set(self.versions.project_store.pack_keys()) == packs

    @precondition(lambda self: 0 < len(self.versions.listed) < MOST_VERSIONS)
    @rule(seed=st.integers(0, 10**6))
    def backup_what_takes_from_none(self, seed: int) -> None:
        """As after damage: another line of versions, whose packs are numbered anew."""
        self._change(random.Random(seed), 2)
        taken = self.versions.make(self.engine, None)
        self.versions.listed[self.versions.last] = taken.manifest_key
        self.contents[self.versions.last] = self.engine.data

    @rule(harm=st.sampled_from(["lost", "damaged", "kept for later", "put back"]))
    def harm_the_index(self, harm: str) -> None:
        if harm == "kept for later":
            self.old_index = {path.name: path.read_bytes() for path in self.cache.iterdir()}
        for path in list(self.cache.iterdir()):
            if harm == "damaged":
                data = path.read_bytes()
                path.write_bytes(data[: len(data) // 2] + b"?" + data[len(data) // 2 + 1 :])
            elif harm == "lost":
                path.unlink()
            elif harm == "put back" and path.name in self.old_index:
                path.write_bytes(self.old_index[path.name])

    @precondition(lambda self: self.versions.listed)
    @rule(chosen=st.lists(st.integers(0, 99), min_size=1, max_size=3), swept=st.booleans())
    def delete(self, chosen: list[int], swept: bool) -> None:
        for one in chosen[: len(self.versions.listed)]:
            del self.versions.listed[self._version(one)]
        if swept:
            self.sweep_with_grace(1)

    @precondition(lambda self: self.versions.listed)
    @rule(chosen=st.integers(0, 99))
    def begin_to_read(self, chosen: int) -> None:
        version = self._version(chosen)
        self.readers.append((self.now, self.versions.listed[version], self.contents[version]))

    @rule(seconds=st.integers(0, 15))
    def sweep_with_grace(self, seconds: int) -> None:
        self.now += seconds
        swept = self.versions.sweep(grace=GRACE)
        records = set(self.versions.project_store.condemned_keys())
        held = set(self.store.list("")) - records
        assert len(held - self.versions.needed()) == swept.waiting

    @rule()
    def sweep_at_once(self) -> None:
        self.readers.clear()
        self.versions.sweep()
        assert set(self.store.list("")) == self.versions.needed()
        size = self.versions.size()
        assert self.versions.sweep().deleted == 0, "all was done"
        assert self.versions.size() == size

    @rule(step=st.integers(1, 25))
    def lose_power_in_a_backup(self, step: int) -> None:
        self._until_power_fails(step, lambda: self.versions.make(self.engine, self._newest()))

    @rule(step=st.integers(1, 40), grace=st.sampled_from([0.0, GRACE]))
    def lose_power_in_a_sweep(self, step: int, grace: float) -> None:
        if not grace:
            self.readers.clear()
        self._until_power_fails(step, lambda: self.versions.sweep(grace=grace))

    @rule(chosen=st.integers(0, 999), kept=st.integers(0, 60))
    def damage_what_nothing_needs(self, chosen: int, kept: int) -> None:
        read = needed_by(self.versions.project_store, [key for _, key, _ in self._at_work()])
        garbage = sorted(set(self.store.list("")) - self.versions.needed() - read)
        if garbage:
            key = garbage[chosen % len(garbage)]
            data = self.store.get(key)
            self.store.delete(key)
            self.store.put(key, data[:kept] + b"?" + data[kept + 1 :])
            self.store.flush()
            self.damaged = True

    @invariant()
    def each_version_is_what_was_backed_up(self) -> None:
        for version in self.versions.listed:
            assert self.versions.content(version) == self.contents[version]

    @invariant()
    def who_reads_is_not_disturbed_for_the_time_of_grace(self) -> None:
        self.readers = self._at_work()
        for _, key, content in self.readers:
            assert content_of(self.versions.project_store, key) == content

    @invariant()
    def no_manifest_is_without_its_objects(self) -> None:
        project_store = self.versions.project_store
        there = set(self.store.list(""))
        for key in project_store.manifest_keys():
            try:
                assert needed_by(project_store, [key]) <= there
            except ManifestUnreadable:
                assert self.damaged, "garbage that this test has damaged"

    def _version(self, chosen: int) -> int:
        listed = sorted(self.versions.listed)
        return listed[chosen % len(listed)]

    def _change(self, chance: random.Random, count: int) -> None:
        data = bytearray(self.engine.data)
        for _ in range(count if data else 0):
            at = UNIT * chance.randrange(len(data) // UNIT)
            data[at : at + UNIT] = chance.randbytes(UNIT)
        self.engine.data = bytes(data)

    def _take(self) -> str:
        taken = self.versions.take(self.engine)
        self.contents[self.versions.last] = self.engine.data
        return taken.manifest_key

    def _newest(self) -> int | None:
        return max(self.versions.listed, default=None)

    def _at_work(self) -> list[tuple[float, str, bytes]]:
        return [reader for reader in self.readers if self.now < reader[0] + GRACE]

    def _until_power_fails(self, step: int, work: Callable[[], object]) -> None:
        self.store.left = step
        try:
            work()
        except PowerFailure:
            pass
        finally:
            self.store.power_up()


TestHistory = History.TestCase
TestHistory.settings = settings(
    max_examples=HISTORIES, stateful_step_count=30, deadline=None, derandomize=HISTORIES == 50
)

STATEMENTS = (
    "INSERT INTO t(x) SELECT randomblob(300) FROM t LIMIT 30",
    "UPDATE t SET x = randomblob(300) WHERE id % 7 = {n} % 7",
    "UPDATE t SET x = randomblob(900) WHERE id % 31 = {n} % 31",
    "DELETE FROM t WHERE id > 20 AND id % 3 = {n} % 3",
    "CREATE INDEX IF NOT EXISTS by_x ON t(x)",
    "DROP INDEX IF EXISTS by_x",
    "VACUUM",
)


class SqliteHistory(RuleBasedStateMachine):
    """A project with a real database: the model is its pages at each version."""

    def __init__(self) -> None:
        super().__init__()
        self.folder = Path(tempfile.mkdtemp(prefix="history-"))
        self.path = self.folder / "a.db"
        make_database(
            self.path,
            "PRAGMA page_size = 512",
            "PRAGMA journal_mode = wal",
            "CREATE TABLE t(id INTEGER PRIMARY KEY, x)",
            "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 40)"
            " INSERT INTO t(x) SELECT randomblob(300) FROM n",
        )
        self.engine = SqliteEngine(self.path, scratch=self.folder)
        self.versions = Versions(small_project())
        self.contents: dict[int, list[bytes]] = {}

    def teardown(self) -> None:
        shutil.rmtree(self.folder)

    @precondition(lambda self: len(self.versions.listed) < MOST_VERSIONS)
    @rule(statements=st.lists(st.sampled_from(STATEMENTS), max_size=3), n=st.integers(0, 40))
    def change_and_backup(self, statements: list[str], n: int) -> None:
        make_database(self.path, *[statement.format(n=n) for statement in statements])
        self.versions.take(self.engine)
        self.contents[self.versions.last] = pages_of(self.path)

    @precondition(lambda self: self.versions.listed)
    @rule(chosen=st.integers(0, 99))
    def restore(self, chosen: int) -> None:
        listed = sorted(self.versions.listed)
        version = listed[chosen % len(listed)]
        self.versions.put_back(version, self.engine)
        # The first page keeps what SQLite counts on: see the tests of restores.
        assert pages_of(self.path)[1:] == self.contents[version][1:]

    @precondition(lambda self: self.versions.listed)
    @rule(chosen=st.integers(0, 99))
    def delete_and_sweep(self, chosen: int) -> None:
        listed = sorted(self.versions.listed)
        del self.versions.listed[listed[chosen % len(listed)]]
        self.versions.sweep()
        assert set(self.versions.store.list("")) == self.versions.needed()

    @invariant()
    def each_version_is_what_was_backed_up(self) -> None:
        for version in self.versions.listed:
            assert self.versions.content(version) == b"".join(self.contents[version])


TestSqliteHistory = SqliteHistory.TestCase
TestSqliteHistory.settings = settings(
    max_examples=max(1, HISTORIES // 3),
    stateful_step_count=20,
    deadline=None,
    derandomize=HISTORIES == 50,
)

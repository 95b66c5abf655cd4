"""What is left when the process dies at any step of a backup or a restore."""

from collections.abc import Callable, Iterator
from itertools import chain
from pathlib import Path

import pytest

from backups.engines.sqlite import SqliteEngine
from backups.pipeline import ProjectStore, Taken, VersionLabel, restore, take
from backups.store.local import LocalStore
from backups.store.seal import Keyring

from .engines.sqlite_files import comparable, ignore, make_database, pages_of, rows_of
from .store.killed import KILLED, killed_at, steps_of

KILLS = 100
AT_THE_END = 40

FILL = (
    "CREATE TABLE t(id INTEGER PRIMARY KEY, x)",
    "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 120)"
    " INSERT INTO t(x) SELECT randomblob(400) FROM n",
)
CHANGE = (
    "UPDATE t SET x = randomblob(400) WHERE id % 3 = 0",
    "CREATE TABLE later AS SELECT * FROM t",
)


def project_in(folder: Path) -> ProjectStore:
    return ProjectStore(
        LocalStore(folder / "store"),
        Keyring.of(bytes(32)),
        "g",
        block_size=2048,
        frame_size=8192,
        pack_size=16384,
        segment_blocks=8,
    )


def version_of(folder: Path, version: int, parent: Taken | None = None) -> Taken:
    return take(
        SqliteEngine(folder / "a.db", scratch=folder),
        project_in(folder),
        VersionLabel(version, "a", "me", 0),
        parent_key=parent.manifest_key if parent else None,
        progress=ignore,
    )


def put_back(folder: Path, taken: Taken, name: str = "a.db") -> None:
    engine = SqliteEngine(folder / name, scratch=folder)
    restore(engine, project_in(folder), taken.manifest_key, before_commit=ignore, progress=ignore)


def assert_restorable(folder: Path, taken: Taken, content: bytes) -> None:
    put_back(folder, taken, "copy.db")
    assert (folder / "copy.db").read_bytes() == content
    (folder / "copy.db").unlink()


def killed_all_along(
    work: Callable[[], object], begin: Callable[[], object] = lambda: None
) -> Iterator[None]:
    """After `begin`, run `work` and kill it at a step; then the same at a later one. Some steps lie
    all along, many in the last part, where the commit is. How many there are differs a little from
    run to run, so it goes on beyond until one is not killed any more."""
    begin()
    steps = steps_of(work)
    assert steps > 2 * KILLS
    along = {1 + place * (steps - 1) // KILLS for place in range(KILLS)}
    chosen = sorted(along | {steps - place * 3 for place in range(AT_THE_END)})
    ends = []
    for step in chain(chosen, range(steps + 3, 2 * steps, 3)):
        begin()
        ends.append(killed_at(step, work))
        yield
        if step >= steps and ends[-1] == 0:
            break
    assert set(ends) <= {KILLED, 0}
    assert ends[-1] == 0
    assert ends.count(KILLED) >= KILLS // 2


@pytest.mark.parametrize("mode", ["wal", "delete"])
def test_a_killed_backup_leaves_all_versions_and_the_next_one_works(
    tmp_path: Path, mode: str
) -> None:
    path = tmp_path / "a.db"
    make_database(path, f"PRAGMA journal_mode = {mode}", *FILL)
    first = version_of(tmp_path, 1)
    first_content = path.read_bytes()
    make_database(path, *CHANGE)
    content = path.read_bytes()
    for _ in killed_all_along(lambda: version_of(tmp_path, 3, first)):
        assert rows_of(path, "PRAGMA integrity_check") == [("ok",)]
        assert_restorable(tmp_path, first, first_content)
    # Whatever the killed ones left, complete or half-made, is not in the way.
    last = version_of(tmp_path, 4, first)
    assert path.read_bytes() == content
    assert_restorable(tmp_path, last, content)
    project_in(tmp_path).store.remove_abandoned("g", grace=0)
    assert list((tmp_path / "store").rglob("*.part")) == []


@pytest.mark.parametrize("mode", ["wal", "delete"])
def test_a_killed_restore_leaves_the_old_content_or_the_new(tmp_path: Path, mode: str) -> None:
    path = tmp_path / "a.db"
    make_database(path, f"PRAGMA journal_mode = {mode}", *FILL)
    taken = version_of(tmp_path, 1)
    version = comparable(pages_of(path))
    make_database(path, *CHANGE)
    live_file = path.read_bytes()
    live = comparable(pages_of(path))
    seen = []

    def begin() -> None:
        for left in tmp_path.glob("a.db*"):
            left.unlink()
        path.write_bytes(live_file)

    for _ in killed_all_along(lambda: put_back(tmp_path, taken), begin):
        found = comparable(pages_of(path))
        assert found in (live, version)
        seen.append(found == version)
        assert rows_of(path, "PRAGMA integrity_check") == [("ok",)]
    assert seen[0] is False and seen[-1] is True
    put_back(tmp_path, taken)
    assert comparable(pages_of(path)) == version


def test_a_killed_restore_to_a_missing_file_leaves_none_or_the_whole(tmp_path: Path) -> None:
    path = tmp_path / "a.db"
    make_database(path, "PRAGMA journal_mode = wal", *FILL)
    taken = version_of(tmp_path, 1)
    content = path.read_bytes()
    seen = []
    for _ in killed_all_along(
        lambda: put_back(tmp_path, taken), lambda: path.unlink(missing_ok=True)
    ):
        seen.append(path.exists())
        if path.exists():
            assert path.read_bytes() == content
    assert seen[0] is False and seen[-1] is True
    path.unlink(missing_ok=True)
    put_back(tmp_path, taken)
    assert path.read_bytes() == content

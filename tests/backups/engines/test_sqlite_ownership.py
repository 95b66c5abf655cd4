"""Savepoint under another user than the application: it works, or refuses and leaves nothing."""

import hashlib
import os
import pwd
import shutil
import signal
import struct
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import sqlean

from backups.engines import sqlite_rest
from backups.engines.sqlite import SqliteEngine
from backups.errors import SourceError

from ..store.killed import KILLED, forked, killed_at, steps_of
from .other_users import (
    APPLICATION,
    COMMON,
    ROOT,
    SAVEPOINT,
    Mix,
    Place,
    User,
    application,
    needs_root,
    works,
)
from .sqlite_files import PagesContent, ignore, make_database, pages_of, rows_of

APP = User(APPLICATION, APPLICATION)
APP_IN_GROUP = User(APPLICATION, APPLICATION, (COMMON,), 0o002)
APP_OF_GROUP = User(APPLICATION, COMMON, (), 0o007)
OWN = User(SAVEPOINT, SAVEPOINT)
IN_GROUP = User(SAVEPOINT, SAVEPOINT, (COMMON,), 0o002)
OF_GROUP = User(SAVEPOINT, COMMON, (), 0o007)

# Of an account of this machine, which must be in a group for sure: in its first.
_ACCOUNT = next(user for user in pwd.getpwall() if user.pw_uid and user.pw_gid)
KNOWN = User(_ACCOUNT.pw_uid, _ACCOUNT.pw_gid, (), 0o002)
OF_KNOWN = User(SAVEPOINT, SAVEPOINT, (_ACCOUNT.pw_gid,), 0o002)
K, K_GROUP = KNOWN.uid, KNOWN.gid

A, S, G = APPLICATION, SAVEPOINT, COMMON

# What is to come of a backup, a restore in place and one where the database is gone, by journal
# mode and whether the application has the database open: "+" it works, "-" it is refused.
MIXES: dict[str, tuple[Mix, str]] = {
    mix.name: (mix, expected)
    for mix, expected in (
        # The same user.
        (Mix("same user", APP, APP, (A, A, 0o755), (A, A, 0o644)), "+++ +++ +++ +++"),
        (Mix("same user, private", APP, APP, (A, A, 0o700), (A, A, 0o600)), "+++ +++ +++ +++"),
        (
            Mix("same user, read only", APP, APP, (A, A, 0o555), (A, A, 0o444)),
            "+-- ... +-- +--",
        ),
        # Root.
        (Mix("root", APP, ROOT, (A, A, 0o755), (A, A, 0o644)), "+++ +++ +++ +++"),
        (Mix("root, private", APP, ROOT, (A, A, 0o700), (A, A, 0o600)), "+++ +++ +++ +++"),
        (Mix("root, group", APP_IN_GROUP, ROOT, (A, G, 0o2770), (A, G, 0o660)), "+++ +++ +++ +++"),
        (Mix("root, sticky", APP, ROOT, (0, 0, 0o1777), (A, A, 0o600)), "+++ +++ +++ +++"),
        # A common group.
        (
            Mix("setgid", KNOWN, OF_KNOWN, (K, K_GROUP, 0o2775), (K, K_GROUP, 0o664)),
            "+++ +++ +++ +++",
        ),
        (
            Mix(
                "setgid, umask 077", KNOWN, OF_KNOWN, (K, K_GROUP, 0o2775), (K, K_GROUP, 0o664)
            ).with_umask(0o077),
            "+++ +++ +++ +++",
        ),
        (  # whether the owner is in the group can't be told
            Mix("setgid, unknown owner", APP_IN_GROUP, IN_GROUP, (A, G, 0o2775), (A, G, 0o664)),
            "+-- ++- +-- +--",
        ),
        (
            Mix("setgid of root", APP_IN_GROUP, IN_GROUP, (0, G, 0o2770), (A, G, 0o660)),
            "+++ +++ +++ +++",
        ),
        (
            Mix("setgid, first group", APP_OF_GROUP, OF_GROUP, (0, G, 0o2770), (A, G, 0o660)),
            "+++ +++ +++ +++",
        ),
        (
            Mix("no setgid", APP_OF_GROUP, IN_GROUP, (0, G, 0o770), (A, G, 0o660)),
            "+++ +++ +++ +++",
        ),
        (  # where the application's own files are of no use to others
            Mix("no setgid, no first group", APP_IN_GROUP, IN_GROUP, (0, G, 0o770), (A, G, 0o660)),
            "+++ --+ +++ +++",
        ),
        (
            Mix("no setgid, app's group", APP_IN_GROUP, IN_GROUP, (0, G, 0o770), (A, A, 0o644)),
            "+-- +-- +-- +--",
        ),
        (
            Mix("setgid, group reads", APP_IN_GROUP, IN_GROUP, (0, G, 0o2770), (A, G, 0o640)),
            "+-- +-- +-- +--",
        ),
        (
            Mix("setgid, all read", APP_IN_GROUP, IN_GROUP, (0, G, 0o2775), (A, G, 0o644)),
            "+-- +-- +-- +--",
        ),
        (
            Mix("setgid, sticky", APP_IN_GROUP, IN_GROUP, (0, G, 0o3770), (A, G, 0o660)),
            "+-- ++- +-- +--",
        ),
        (
            Mix("app not owner", APP_IN_GROUP, IN_GROUP, (0, G, 0o2770), (0, G, 0o660)),
            "+++ +++ +++ +++",
        ),
        (
            Mix("owner, app by group", APP_IN_GROUP, OWN, (S, G, 0o770), (S, G, 0o660)),
            "+-- --- +-- +--",
        ),
        (
            Mix("owner in group", APP_IN_GROUP, IN_GROUP, (S, G, 0o770), (S, G, 0o660)),
            "+++ --+ +++ +++",
        ),
        # Strangers.
        (Mix("stranger, all read", APP, OWN, (A, A, 0o755), (A, A, 0o644)), "+-- +-- +-- +--"),
        (Mix("stranger, open folder", APP, OWN, (A, A, 0o777), (A, A, 0o644)), "+-- +-- +-- +--"),
        (Mix("stranger, all write", APP, OWN, (A, A, 0o777), (A, A, 0o666)), "+++ +++ +++ +++"),
        (Mix("stranger, sticky", APP, OWN, (0, 0, 0o1777), (A, A, 0o666)), "+-- ++- +-- +--"),
        (Mix("stranger, closed", APP, OWN, (A, A, 0o755), (A, A, 0o600)), "--- --- --- ---"),
        (Mix("stranger, no way in", APP, OWN, (A, A, 0o700), (A, A, 0o600)), "--- --- --- ---"),
    )
}
CASES = (("wal", False), ("wal", True), ("delete", False), ("delete", True))
Work = Callable[[Place, PagesContent], Callable[[], dict[str, Any]]]

_table: dict[str, list[str]] = {}


@pytest.fixture(scope="module", autouse=True)
def table(request: pytest.FixtureRequest) -> Iterator[None]:
    """Prints what came of each mix at the end."""
    needs_root()
    yield
    writer = request.config.get_terminal_writer()
    heads = "".join(f"{mode + (' open' if held else ' away'):<14}" for mode, held in CASES)
    with request.config.pluginmanager.getplugin("capturemanager").global_and_fixture_disabled():
        writer.line(f"\n{'backup, restore in place, restore where gone':<46}{heads}")
        for name, cells in _table.items():
            writer.line(f"  {name:<44}" + "".join(f"{cell:<14}" for cell in cells))


@pytest.fixture
def base() -> Iterator[Path]:
    """A folder that other users reach, unlike those of pytest."""
    # In memory: nothing here is about disks.
    memory = Path("/dev/shm")
    folder = Path(
        tempfile.mkdtemp(prefix="savepoint-tests-", dir=memory if memory.is_dir() else None)
    )
    folder.chmod(0o755)
    yield folder
    shutil.rmtree(folder)


@pytest.fixture(autouse=True)
def settled_soon(monkeypatch: pytest.MonkeyPatch) -> None:
    """The file systems of tests have a fine clock."""
    monkeypatch.setattr(sqlite_rest, "SETTLED_SECONDS", 0.1)


def engine_of(place: Place, rights: str = "") -> SqliteEngine:
    return SqliteEngine(place.path, lock_wait=5, scratch=place.scratch, rights=rights)


def outcome(work: Callable[[], dict[str, Any]]) -> Callable[[], dict[str, Any]]:
    def run() -> dict[str, Any]:
        try:
            return work()
        except SourceError as error:
            return {"refused": error.reason}

    return run


def backup(place: Place) -> Callable[[], dict[str, Any]]:
    def work() -> dict[str, Any]:
        with engine_of(place).snapshot() as snapshot:
            content = b"".join(snapshot.blocks(snapshot.unit_size * 16))
            assert snapshot.facts["tables"].keys() == {"t"}
        copy = place.scratch / "copy.db"
        copy.write_bytes(content)
        return {"hash": hashlib.sha256(content).hexdigest()}

    return outcome(work)


def restore(place: Place, content: PagesContent, rights: str = "") -> Callable[[], dict[str, Any]]:
    def work() -> dict[str, Any]:
        def keep(snapshot: Any) -> None:
            for _ in snapshot.blocks(65536):
                pass

        engine_of(place, rights).restore(content, keep=keep, before_commit=ignore, progress=ignore)
        return {}

    return outcome(work)


def content_of(base: Path) -> PagesContent:
    """Another content of the same table, large enough not to fit into a cache."""
    other = Mix("other", APP, ROOT, (0, 0, 0o755), (0, 0, 0o644))
    return PagesContent(pages_of(Place(base, other, journal="delete", rows=12_000).path))


def gone(place: Place) -> str:
    """Remove the database; what `SqliteEngine.rights` told of it."""
    rights = engine_of(place).rights()
    for name in os.listdir(place.folder):
        os.unlink(place.folder / name)
    return rights


def judged(place: Place, told: dict[str, Any], before: dict[str, Any]) -> str:
    """How it went; nothing may be in the application's way."""
    if "refused" in told:
        assert told["refused"]
        assert "/" not in told["refused"].replace("docs/", ""), "no paths in reasons"
        return "-"
    after = place.listing()
    new = {name: after[name] for name in after.keys() - before.keys()}
    assert not new or set(new) <= {"app.db"}, new
    return "+"


@pytest.mark.parametrize("name", MIXES)
def test_it_works_or_refuses_and_the_application_goes_on(base: Path, name: str) -> None:
    mix, expected = MIXES[name]
    content = content_of(base / "content")
    cells = []
    for mode, held in CASES:
        place = Place(base / f"{mode}-{held}", mix, journal=mode)
        cells.append(_all_three(place, content, held=held))
    _table[name] = cells
    assert " ".join(cells) == expected


def _all_three(place: Place, content: PagesContent, *, held: bool) -> str:
    writes = works(place) == ""
    assert writes == (place.mix.name != "same user, read only")
    place.set_rights()
    cell = ""
    for make in (
        lambda: backup(place),
        lambda: restore(place, content),
    ):
        with application(place) as program:
            if held:
                if program.ask("open"):
                    return "..."  # it can't be open
                assert (program.ask("write") == "") == writes
            before = place.listing()
            size = place.path.stat().st_size
            told = place.as_savepoint(make())
            cell += judged(place, told, before)
            if told.keys() == {"refused"}:
                assert place.listing() == before, told
                assert place.path.stat().st_size == size
            if "hash" in told:
                assert rows_of(place.scratch / "copy.db", "SELECT * FROM t")[-1][1] == (
                    "by the application" if writes else place_row(place)
                )
            if held:
                assert (program.ask("write") == "") == writes, told
                assert program.ask("read") == ""
                assert program.ask("close") == ""
        assert (works(place) == "") == writes, told
        assert set(place.listing()) <= {"app.db"} | set(before), told
    rights = gone(place)
    told = place.as_savepoint(restore(place, content, rights))
    cell += judged(place, told, {})
    if "refused" in told:
        assert place.listing() == {}
    else:
        uid, gid, mode = place.listing()["app.db"]
        assert works(place) == "", told
        assert mode == place.mix.database[2]
        if place.mix.savepoint == ROOT:
            assert (uid, gid) == place.mix.database[:2]
    return cell


def place_row(place: Place) -> str:
    return str(rows_of(place.path, "SELECT * FROM t")[-1][1])


KILLS = 7
WORKING = ("same user", "root, private", "setgid", "setgid, umask 077", "no setgid")
JOBS: dict[str, Work] = {
    "backup": lambda place, content: backup(place),
    "restore": restore,
    "restore where gone": lambda place, content: restore(place, content, place.rights),
}


@pytest.mark.parametrize("job", JOBS)
@pytest.mark.parametrize("mode", ["wal", "delete"])
@pytest.mark.parametrize("name", WORKING)
def test_a_savepoint_killed_at_any_step_is_in_nobodys_way(
    base: Path, name: str, mode: str, job: str
) -> None:
    mix, _ = MIXES[name]
    content = content_of(base / "content")

    def placed(folder: str) -> Place:
        place = Place(base / folder, mix, journal=mode, rows=3000)
        if job == "restore where gone":
            place.rights = gone(place)
        return place

    def work(place: Place) -> None:
        mix.savepoint.become()
        assert "refused" not in JOBS[job](place, content)()

    counted = placed("counted")
    steps = steps_of(lambda: work(counted))
    for number in range(1, KILLS):
        place = placed(str(number))
        assert killed_at(steps * number // KILLS, lambda: work(place)) == KILLED  # noqa: B023
        if place.path.exists():
            assert works(place) == "", place.listing()
            assert rows_in(place) in (3001, 12_001)
        else:
            assert job == "restore where gone"
        told = place.as_savepoint(JOBS[job](place, content))
        assert "refused" not in told, told
        assert works(place) == "", place.listing()
        assert set(place.listing()) == {"app.db"}
        shutil.rmtree(base / str(number))


@pytest.mark.parametrize("mode", ["wal", "delete"])
@pytest.mark.parametrize("name", ["root, private", "no setgid"])
def test_a_savepoint_killed_while_it_makes_the_files_that_sqlite_needs_is_in_nobodys_way(
    base: Path, name: str, mode: str
) -> None:
    mix, _ = MIXES[name]
    place = Place(base / "place", mix, journal=mode, rows=10)
    content = PagesContent(pages_of(place.path))

    def work() -> None:
        mix.savepoint.become()
        if mode == "wal":
            with engine_of(place).snapshot():
                pass
        else:
            engine_of(place).restore(content, before_commit=ignore, progress=ignore)

    seen, step = set(), 1
    while killed_at(step, work) == KILLED:
        step += 7
        seen |= place.listing().keys()
        for file, (uid, gid, permissions) in place.listing().items():
            if not file.startswith(".app.db.beside-"):
                assert (gid, permissions) == mix.database[1:], file
                assert mix.savepoint != ROOT or uid == mix.database[0], file
        if step % 10 == 1:
            assert works(place) == ""
    assert seen >= {
        "app.db",
        *({"app.db-wal", "app.db-shm"} if mode == "wal" else {"app.db-journal"}),
    }
    assert "refused" not in place.as_savepoint(restore(place, content))
    assert place.listing().keys() == {"app.db"}


def rows_in(place: Place) -> int:
    (count,) = rows_of(place.path, "SELECT count(*) FROM t")[0]
    return int(count)


def test_a_file_of_another_page_size_is_restored_by_the_same_rules(base: Path) -> None:
    other = Place(base / "other", MIXES["root"][0], journal="delete", rows=3000)
    make_database(other.path, "PRAGMA page_size = 8192", "VACUUM")
    content = PagesContent(pages_of(other.path))
    for mix, expected in MIXES.values():
        for number, (mode, held) in enumerate(CASES):
            if held or mix.name == "same user, read only":
                continue
            place = Place(base / f"{mix.name}-{mode}", mix, journal=mode)
            before = place.listing()
            told = place.as_savepoint(restore(place, content))
            works_out = expected.split()[number][1] == "+"
            assert ("refused" in told) == (not works_out), (mix.name, mode, told)
            assert place.listing() == before
            assert works(place) == ""
            assert set(place.listing()) == {"app.db"}
            assert rows_of(place.path, "PRAGMA journal_mode") == [(mode,)]


@pytest.mark.parametrize(
    "name", ["setgid, group reads", "stranger, open folder", "no setgid", "owner in group"]
)
def test_what_an_earlier_savepoint_left_in_the_way_is_removed(base: Path, name: str) -> None:
    mix, _ = MIXES[name]
    place = Place(base / "place", mix, journal="wal")

    def leave() -> int:
        mix.savepoint.become()
        connection = sqlean.connect(str(place.path), isolation_level=None)
        connection.execute("SELECT count(*) FROM t").fetchall()
        os.kill(os.getpid(), signal.SIGKILL)
        return 0

    assert forked(leave) == KILLED
    assert set(place.listing()) == {"app.db", "app.db-wal", "app.db-shm"}
    assert works(place) != "", "the application is locked out"
    assert "refused" not in place.as_savepoint(backup(place))
    assert set(place.listing()) == {"app.db"}
    assert works(place) == ""


def test_what_is_in_use_is_not_removed(base: Path) -> None:
    mix, _ = MIXES["stranger, open folder"]
    place = Place(base / "place", mix, journal="wal")
    with application(place.used_by(mix.savepoint)) as program:
        assert program.ask("open") == ""
        before = place.listing()
        assert before["app.db-wal"][0] == SAVEPOINT
        assert "refused" not in place.as_savepoint(backup(place))
        assert place.listing() == before
        assert program.ask("read") == ""


@pytest.mark.parametrize("name", ["setgid, group reads", "no setgid, app's group"])
def test_a_database_that_is_written_while_it_is_read_past_sqlite_is_no_version(
    base: Path, name: str
) -> None:
    mix, _ = MIXES[name]
    place = Place(base / "place", mix, journal="wal")

    # The application writes, and brings that into the file, between two blocks.
    reading, writing = os.pipe(), os.pipe()

    def reader() -> dict[str, Any]:
        with engine_of(place).snapshot() as snapshot:
            blocks = snapshot.blocks(65536)
            next(blocks)
            os.write(writing[1], b"x")
            os.read(reading[0], 1)
            for _ in blocks:
                pass
            return {"facts": len(snapshot.facts)}

    child = os.fork()
    if child == 0:
        os.read(writing[0], 1)
        code = 0 if works(place) == "" else 1
        os.write(reading[1], b"x")
        os._exit(code)
    told = place.as_savepoint(outcome(reader))
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
    assert "was written while it was read" in told["refused"]


def test_the_application_may_leave_while_its_database_is_read(base: Path) -> None:
    for name in ("setgid, group reads", "stranger, open folder", "setgid, unknown owner"):
        place = Place(base / name, MIXES[name][0], journal="wal")
        with application(place) as program:
            assert program.ask("open") == ""
            assert program.ask("write") == ""
            told = place.as_savepoint(backup_while(place, lambda: program.ask("close")))
            assert "hash" in told, told
        assert {uid for uid, _, _ in place.listing().values()} == {APPLICATION}
        assert works(place) == ""
        assert set(place.listing()) == {"app.db"}


def backup_while(place: Place, happens: Callable[[], str]) -> Callable[[], dict[str, Any]]:
    def work() -> dict[str, Any]:
        with engine_of(place).snapshot() as snapshot:
            blocks = snapshot.blocks(65536)
            first = next(blocks)
            assert happens() == ""
            content = first + b"".join(blocks)
        return {"hash": hashlib.sha256(content).hexdigest()}

    return outcome(work)


@pytest.mark.parametrize("mode", ["wal", "delete"])
def test_a_database_with_another_name_is_read_and_not_written(base: Path, mode: str) -> None:
    place = Place(base / "place", MIXES["same user"][0], journal=mode)
    os.link(place.path, base / "elsewhere.db")
    content = PagesContent(pages_of(place.path))
    assert "hash" in place.as_savepoint(backup(place))
    before = place.path.read_bytes()
    assert "another name" in place.as_savepoint(restore(place, content))["refused"]
    assert place.path.read_bytes() == before
    assert works(place) == ""
    with application(place) as program:
        assert program.ask("open") == program.ask("write") == ""
        assert "hash" in place.as_savepoint(backup(place))


@pytest.mark.parametrize("mode", ["wal", "delete"])
def test_changes_that_wait_by_another_name_are_not_passed_over(base: Path, mode: str) -> None:
    place = Place(base / "place", MIXES["same user"][0], journal=mode)
    os.link(place.path, place.folder / "other.db")

    def killed() -> int:
        place.mix.application.become()
        connection = sqlean.connect(str(place.folder / "other.db"), isolation_level=None)
        connection.execute("PRAGMA cache_size = 5")
        connection.execute("BEGIN IMMEDIATE")
        connection.execute("UPDATE t SET x = 'half done'")
        os.kill(os.getpid(), signal.SIGKILL)
        return 0

    assert forked(killed) == KILLED
    assert "another name" in place.as_savepoint(backup(place))["refused"]


def test_access_lists_of_the_database_are_those_of_the_files_beside_it(base: Path) -> None:
    place = Place(base / "place", MIXES["root, private"][0], journal="wal")
    place.folder.chmod(0o777)
    reader = User(50003, 50003)
    # user::rw-, user:reader:rw-, group::---, mask::rw-, other::---
    entries = ((1, 6, -1), (2, 6, reader.uid), (4, 0, -1), (16, 6, -1), (32, 0, -1))
    packed = struct.pack("<I", 2) + b"".join(
        struct.pack("<HHi", tag, bits, who) for tag, bits, who in entries
    )
    try:
        os.setxattr(place.path, "system.posix_acl_access", packed)
    except OSError:
        assert "CI" not in os.environ
        pytest.skip("this file system knows no access lists")

    told = place.as_savepoint(backup_while(place, lambda: works(place.used_by(reader))))
    assert "hash" in told, told
    assert works(place) == ""


def test_what_is_known_of_nobody_is_made_by_what_is_left(base: Path) -> None:
    content = content_of(base / "content")
    place = Place(base / "by folder", MIXES["root, group"][0], journal="wal")
    gone(place)
    assert place.as_savepoint(restore(place, content)) == {}
    assert place.listing()["app.db"] == (A, G, 0o660)
    place = Place(base / "by a file beside", MIXES["root, private"][0], journal="wal")
    os.rename(place.path, place.folder / "app.db-wal")
    os.chown(place.folder, 0, 0)
    place.folder.chmod(0o755)
    assert place.as_savepoint(restore(place, content)) == {}
    assert place.listing()["app.db"] == (A, A, 0o600)


@pytest.mark.parametrize("mode", ["wal", "delete"])
def test_what_a_killed_application_left_is_undone_or_left_to_it(base: Path, mode: str) -> None:
    content = content_of(base / "content")
    for name, (mix, _) in MIXES.items():
        if name == "same user, read only":
            continue
        for job in (lambda place: backup(place), lambda place: restore(place, content)):
            place = Place(base / "place", mix, journal=mode)

            def killed(place: Place = place) -> int:
                place.mix.application.become()
                connection = sqlean.connect(str(place.path), isolation_level=None)
                connection.execute("INSERT INTO t(x) VALUES ('committed')")
                connection.execute("PRAGMA cache_size = 5")
                connection.execute("BEGIN IMMEDIATE")
                connection.execute("UPDATE t SET x = 'half done'")
                os.kill(os.getpid(), signal.SIGKILL)
                return 0

            assert forked(killed) == KILLED
            before = place.listing()
            assert len(before) > 1, "a journal, or a -wal"
            told = place.as_savepoint(job(place))
            if "refused" in told:
                assert place.listing() == before, (name, told)
            assert set(place.listing()) <= set(before)
            assert works(place) == "", (name, told)
            rows = {x for _, x in rows_of(place.path, "SELECT * FROM t")}
            assert "half done" not in rows
            if "refused" in told or "hash" in told:
                assert "committed" in rows
            if "hash" in told:
                copied = {x for _, x in rows_of(place.scratch / "copy.db", "SELECT * FROM t")}
                assert "committed" in copied
                assert "half done" not in copied
            shutil.rmtree(base / "place")

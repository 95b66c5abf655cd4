"""Savepoint under another user than the application: it works, or refuses and leaves nothing."""

import hashlib
import os
import pwd
import shutil
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from backups.engines import sqlite_rest
from backups.engines.sqlite import SqliteEngine
from backups.errors import SourceError

from ..store.killed import KILLED, killed_at, steps_of
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
from .sqlite_files import PagesContent, ignore, pages_of, rows_of

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


KILLS = 10
WORKING = ("same user", "root, private", "setgid", "no setgid", "stranger, all write")
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

"""Programs of different users on one database, each in a process that is theirs."""

import copy
import json
import os
import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest
import sqlean

from ..store.killed import forked

# Of no account on this machine, as in containers that share a folder.
APPLICATION, SAVEPOINT = 50001, 50002
COMMON = 50010


@dataclass(frozen=True)
class User:
    """As whom a process runs; `groups` are those beside its own."""

    uid: int
    gid: int
    groups: tuple[int, ...] = ()
    umask: int = 0o022

    def become(self) -> None:
        """From now on this process is the user's."""
        os.setgroups(self.groups)
        os.setresgid(self.gid, self.gid, self.gid)
        os.setresuid(self.uid, self.uid, self.uid)
        os.umask(self.umask)


ROOT = User(0, 0)


@dataclass(frozen=True)
class Mix:
    """Whose the folder and the database are, and who uses them."""

    name: str
    application: User
    savepoint: User
    folder: tuple[int, int, int]  # owner, group, mode
    database: tuple[int, int, int]

    def with_umask(self, umask: int) -> "Mix":
        """The same, where Savepoint has another umask."""
        return replace(self, savepoint=replace(self.savepoint, umask=umask))


class Place:
    """A folder with a database in it that the application made."""

    def __init__(self, base: Path, mix: Mix, *, journal: str, rows: int = 2000) -> None:
        self.mix = mix
        self.journal = journal
        self.rights = ""
        self.folder = base / "app"
        self.path = self.folder / "app.db"
        self.scratch = base / "scratch"
        self.folder.mkdir(parents=True)
        self.scratch.mkdir()
        base.chmod(0o755)
        os.chown(self.scratch, mix.savepoint.uid, mix.savepoint.gid)
        assert forked(lambda: self._fill(rows)) == 0
        self.set_rights()

    def used_by(self, user: User) -> "Place":
        """The same place, where another user's program is the application."""
        other = copy.copy(self)
        other.mix = replace(self.mix, application=user)
        return other

    def set_rights(self) -> None:
        """Give folder and database the owner, group and mode that they are to have."""
        for path, (uid, gid, mode) in (
            (self.folder, self.mix.folder),
            (self.path, self.mix.database),
        ):
            os.chown(path, uid, gid)
            path.chmod(mode)

    def _fill(self, rows: int) -> int:
        connection = sqlean.connect(str(self.path), isolation_level=None)
        connection.execute(f"PRAGMA journal_mode = {self.journal}").fetchall()
        connection.execute("CREATE TABLE t(id INTEGER PRIMARY KEY, x)")
        connection.execute(
            "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n"
            f" WHERE i < {rows}) INSERT INTO t(x) SELECT hex(randomblob(100)) FROM n"
        )
        connection.close()
        return 0

    def listing(self) -> dict[str, tuple[int, int, int]]:
        """What lies in the folder: owner, group and mode of each file."""
        return {
            name: (found.st_uid, found.st_gid, found.st_mode & 0o7777)
            for name in sorted(os.listdir(self.folder))
            for found in [os.lstat(self.folder / name)]
        }

    def as_savepoint(self, work: Callable[[], dict[str, Any]]) -> dict[str, Any]:
        """What `work` gives in a process of Savepoint's user; what it raises ends the test.

        A process that is killed on the way gives nothing.
        """
        reading, writing = os.pipe()

        def run() -> int:
            os.close(reading)
            self.mix.savepoint.become()
            with os.fdopen(writing, "w") as pipe:
                json.dump(work(), pipe)
            return 0

        code = forked_with_parent_closing(run, writing)
        with os.fdopen(reading) as pipe:
            answer = pipe.read()
        assert code in (0, -signal.SIGKILL), code
        return dict(json.loads(answer)) if code == 0 else {"killed": True}


def forked_with_parent_closing(work: Callable[[], int], descriptor: int) -> int:
    """`forked`, where the parent lets go of its end of a pipe."""
    code = forked(work)
    os.close(descriptor)
    return code


class Application:
    """A process of the application's user, which has the database open from `open` to `close`."""

    def __init__(self, place: Place) -> None:
        self._place = place
        self._to_child, self._from_child = os.pipe(), os.pipe()
        self._child = os.fork()
        if self._child == 0:
            try:
                self._serve()
            finally:
                os._exit(0)
        os.close(self._to_child[0])
        os.close(self._from_child[1])
        self._requests = os.fdopen(self._to_child[1], "w")
        self._answers = os.fdopen(self._from_child[0])

    def ask(self, what: str) -> str:
        """ "" when it went well, else SQLite's words. What: open, write, read, close."""
        self._requests.write(what + "\n")
        self._requests.flush()
        return self._answers.readline().rstrip("\n")

    def end(self) -> None:
        """End the process, in order."""
        self._requests.close()
        self._answers.close()
        os.waitpid(self._child, 0)

    def _serve(self) -> None:
        os.close(self._to_child[1])
        os.close(self._from_child[0])
        self._place.mix.application.become()
        connection = None
        with os.fdopen(self._to_child[0]) as requests, os.fdopen(self._from_child[1], "w") as out:
            for line in requests:
                answer = ""
                try:
                    match line.strip():
                        case "open":
                            connection = sqlean.connect(
                                str(self._place.path), isolation_level=None, timeout=5
                            )
                            connection.execute("SELECT count(*) FROM t").fetchall()
                        case "write":
                            connection.execute("INSERT INTO t(x) VALUES ('by the application')")
                        case "read":
                            rows = connection.execute("PRAGMA integrity_check").fetchall()
                            answer = "" if rows == [("ok",)] else str(rows)
                        case "close":
                            connection.close()
                except sqlean.Error as error:
                    answer = str(error) or type(error).__name__
                print(answer, file=out, flush=True)


@contextmanager
def application(place: Place) -> Iterator[Application]:
    """The application, ended at the end."""
    made = Application(place)
    try:
        yield made
    finally:
        made.end()


def works(place: Place) -> str:
    """ "" if the application can open, write and read the database; else what it can't."""
    with application(place) as program:
        for step in ("open", "write", "read", "close"):
            if answer := program.ask(step):
                return f"{step}: {answer}"
    return ""


def needs_root() -> None:
    """Skip where nobody can become another user; never where all tests must run."""
    if os.geteuid() == 0:
        return
    assert "CI" not in os.environ, "these tests must run as root"
    pytest.skip("becoming other users takes root")

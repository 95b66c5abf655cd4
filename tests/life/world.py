"""A project of Savepoint's with a database of real life, and every operation on it.

Jobs are asked for by the services and done in the tests' own process, by the functions that
workers run."""

import hashlib
import subprocess
import sys
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from backups.cloning import clone_backup
from backups.downloads import download_of
from backups.errors import JobNotStarted
from backups.facts import VALUES
from backups.imports import import_version
from backups.listing import version_details
from backups.models import Backup
from backups.services import (
    Requested,
    create_backup,
    latest_safety_version,
    restore_backup,
)
from backups.uploads import Upload, receiving_path
from backups.verification import verify_backup
from jobs.models import Job
from jobs.tasks import run_job
from projects.databases import managed_path
from projects.errors import InvalidParameters
from projects.models import User
from projects.services import create_project, create_user

from .pages import content_at, lie_at

# Has the database open as an application has it: in WAL mode with a change in its -wal file, if
# SQLite can write that at all. Goes on until its input ends.
_APPLICATION = """
import sqlite3, sys
connection = sqlite3.connect(sys.argv[1], isolation_level=None, timeout=10)
connection.execute("PRAGMA wal_autocheckpoint = 0")
for statement in ("SELECT count(*) FROM sqlite_schema", "PRAGMA user_version = 7"):
    try:
        connection.execute(statement).fetchall()
    except sqlite3.Error:
        pass
print("open", flush=True)
for line in sys.stdin:
    try:
        answer = connection.execute("SELECT count(*) FROM sqlite_schema").fetchone()[0]
    except sqlite3.Error as error:
        answer = error
    print(answer, flush=True)
"""


@dataclass(frozen=True)
class Outcome:
    """What came of an operation. `reason`: why it was refused, else empty. `damage`, `unchecked`,
    `values`: what is told of the version that was made or looked at."""

    reason: str = ""
    version: int = 0
    damage: str = ""
    unchecked: str = ""
    values: str = ""
    info: dict[str, Any] | None = None

    @property
    def ok(self) -> bool:
        return not self.reason

    def __str__(self) -> str:
        if self.reason:
            return "refused"
        told = [name for name in ("damage", "unchecked", "values") if getattr(self, name)]
        return " ".join(told) or "ok"


class Life:
    """One project. Its database's place is `path`."""

    def __init__(self) -> None:
        self.owner: User = create_user(username=uuid.uuid4().hex, password="a long enough one")
        self.project = create_project(name="Life", owner=self.owner)
        self.path = managed_path(self.project)

    def put(self, content: bytes) -> None:
        """Have the database be this one. Nobody may have it open."""
        lie_at(self.path, content)

    @property
    def content(self) -> bytes:
        """What the database holds."""
        return content_at(self.path)

    @contextmanager
    def held(self) -> Iterator["Application"]:
        """An application has the database open meanwhile."""
        with subprocess.Popen(
            [sys.executable, "-S", "-E", "-c", _APPLICATION, str(self.path)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        ) as process:
            assert process.stdout and process.stdout.readline() == "open\n"
            try:
                yield Application(process)
                assert process.poll() is None
            finally:
                process.kill()

    def backup(self, *, keep_damaged: bool = False) -> Outcome:
        """Make a version of what the database holds."""
        return self._made(
            lambda: create_backup(
                project=self.project,
                requested_by=None,
                created_by="life",
                keep_damaged=keep_damaged,
            )
        )

    def restore(self, version: int, *, safety: bool) -> Outcome:
        """Have the database hold a version."""
        return self._done(
            lambda: restore_backup(
                project=self.project, requested_by=None, version=version, safety=safety
            )
        )

    def undo(self) -> Outcome:
        """Have the database hold what it held before the newest restore."""
        return self.restore(latest_safety_version(self.project).version, safety=True)

    def verify(self, version: int) -> Outcome:
        """Find out whether a version is whole."""
        outcome = self._done(
            lambda: verify_backup(project=self.project, requested_by=None, version=version)
        )
        if outcome.ok:
            assert self.row(version).verified_on, "a verification that ended well is noted"
        return outcome

    def clone(self, version: int) -> tuple[Outcome, bytes]:
        """Put a version into a new project; what that one's database holds."""
        cloned = clone_backup(
            project=self.project, owner=self.owner, requested_by=None, version=version
        )
        return self._ended(cloned.job, version), content_at(managed_path(cloned.project))

    def download(self, version: int) -> bytes:
        """A version as a file."""
        found = download_of(self.row(version))
        content = b"".join(found.pieces(0, found.size))
        assert hashlib.sha256(content).hexdigest() == found.sha256
        return content

    def imported(self, content: bytes, *, keep_damaged: bool = False) -> Outcome:
        """Make a version of a file."""
        path = receiving_path()
        path.write_bytes(content)
        upload = Upload(path, len(content), hashlib.sha256(content).hexdigest())
        return self._made(
            lambda: import_version(
                project=self.project,
                requested_by=None,
                created_by="life",
                upload=upload,
                keep_damaged=keep_damaged,
            )
        )

    def row(self, version: int) -> Backup:
        """A version that is listed."""
        return Backup.objects.restorable().get(project=self.project, version=version)

    def told(self, version: int) -> tuple[str, str, str]:
        """What is told of a version: its damage, what of it was not checked, and broken values."""
        row = self.row(version)
        details = version_details(row)
        return details["damage"] or "", details["unchecked"] or "", str(row.facts.get(VALUES, ""))

    def kept(self) -> Outcome:
        """What is told of the newest version that a restore has kept."""
        version = latest_safety_version(self.project).version
        return Outcome("", version, *self.told(version))

    def _made(self, ask: Any) -> Outcome:
        requested, reason = _asked(ask)
        if requested is None:
            return Outcome(reason)
        version = requested.backup.version
        outcome = self._ended(requested.job, version)
        listed = Backup.objects.restorable().filter(project=self.project, version=version)
        assert outcome.ok == listed.exists(), "a version is listed if its job has ended well"
        return outcome

    def _done(self, ask: Any) -> Outcome:
        requested, reason = _asked(ask)
        if requested is None:
            return Outcome(reason)
        return self._ended(requested.job, requested.backup.version)

    def _ended(self, job: Job, version: int) -> Outcome:
        run_job(str(job.token))
        job.refresh_from_db()
        assert job.status == Job.Status.DONE
        if job.error is not None:
            return Outcome(job.error["info"]["reason"], version, info=job.info)
        return Outcome("", version, *self.told(version), job.info)


class Application:
    """A process that has the database open; see `Life.held`."""

    def __init__(self, process: "subprocess.Popen[str]") -> None:
        self._process = process

    def reads(self) -> str:
        """How many entries it finds in the schema, or the error that it gets."""
        assert self._process.stdin and self._process.stdout
        self._process.stdin.write("\n")
        self._process.stdin.flush()
        return self._process.stdout.readline().strip()


def _asked(ask: Any) -> tuple[Requested | None, str]:
    try:
        return ask(), ""
    except JobNotStarted as refused:
        return None, refused.reason
    except InvalidParameters as refused:
        return None, "; ".join(f"{name}: {why}" for name, why in refused.info.items())

"""Files that become versions: what is taken, what is refused, and what is remarked upon."""

import hashlib
import json
import random
import zlib
from pathlib import Path
from typing import Any

import pytest

from backups import uploads
from backups.demo.catalogue import write_catalogue
from backups.formats import WAL_REMARK
from backups.imports import import_version
from backups.models import Backup
from backups.uploads import Upload
from jobs.models import Job
from jobs.tasks import run_job
from projects.databases import managed_path
from projects.errors import InvalidParameters
from projects.models import Project
from projects.services import create_project
from tests.api import Api
from tests.backups.in_process import backed_up, damage, done, restored
from tests.content import execute
from tests.staff import superuser

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def project() -> Project:
    project = create_project(name="One", owner=superuser())
    write_catalogue(managed_path(project), 1)
    return project


@pytest.fixture
def api(project: Project) -> Api:
    return Api(project, project.owner)


def upload_of(content: bytes) -> Upload:
    path = uploads.receiving_path()
    path.write_bytes(content)
    return Upload(path, len(content), hashlib.sha256(content).hexdigest())


def imported(project: Project, content: bytes, **how: Any) -> tuple[Backup, Job]:
    requested = import_version(
        project=project, requested_by=None, created_by="tests", upload=upload_of(content), **how
    )
    run_job(str(requested.job.token))
    requested.backup.refresh_from_db()
    return requested.backup, Job.objects.get(pk=requested.job.pk)


def test_a_damaged_file_is_imported_when_the_caller_insists(
    project: Project, api: Api, tmp_path: Path
) -> None:
    path = tmp_path / "damaged.sqlite3"
    write_catalogue(path, 1)
    damage(path)
    backup, job = imported(project, path.read_bytes())
    reason = job.info["error"]["info"]["reason"]
    assert "damage" in reason
    assert "keep_damaged" in reason
    backup, job = imported(project, path.read_bytes(), keep_damaged=True)
    assert job.ended_well
    assert job.info["damage"] == backup.damage != ""
    restored(project, backup.version)
    # All but what a restore in place changes in the first page on purpose.
    assert managed_path(project).read_bytes()[4096:] == path.read_bytes()[4096:]


def test_a_file_of_no_bytes_is_an_empty_database(project: Project) -> None:
    backup, job = imported(project, b"")
    assert job.ended_well, job.error
    assert backup.size == 0
    restored(project, backup.version)
    assert execute(managed_path(project), "SELECT count(*) FROM sqlite_master") == "(0,)"


@pytest.mark.parametrize("size", [4096, 1 << 16, 1 << 20])
def test_a_file_that_looks_enciphered_is_called_perhaps_encrypted(
    project: Project, size: int
) -> None:
    with pytest.raises(InvalidParameters) as caught:
        imported(project, random.Random(1).randbytes(size))
    assert "perhaps an encrypted one (e.g. by SQLCipher)" in caught.value.info["upload_file"]


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"no database", "is not a SQLite database"),
        (json.dumps(list(range(20_000))).encode(), "is not a SQLite database"),
        (b"\x1f\x8b" + zlib.compress(random.Random(1).randbytes(9000)), "is compressed"),
    ],
    ids=["text", "JSON", "gzip"],
)
def test_other_files_are_told_for_what_they_are(
    project: Project, content: bytes, reason: str
) -> None:
    with pytest.raises(InvalidParameters) as caught:
        imported(project, content)
    assert caught.value.info["upload_file"].startswith(reason)
    assert "encrypted" not in caught.value.info["upload_file"]


@pytest.mark.parametrize("mode", ["wal", "delete"])
def test_a_file_in_wal_mode_is_remarked_upon(
    project: Project, api: Api, tmp_path: Path, mode: str
) -> None:
    path = tmp_path / "a.sqlite3"
    execute(path, f"PRAGMA journal_mode = {mode}")
    execute(path, "CREATE TABLE t(x)")
    backup, job = imported(project, path.read_bytes())
    remarks = [WAL_REMARK] if mode == "wal" else []
    assert job.info.get("remarks", []) == remarks
    (told,) = api.call("backups/get", version=backup.version)["backups"]
    assert told["remarks"] == remarks
    # It concerns the file, not what is in it.
    restored(project, backup.version)
    assert backed_up(project)[0].remarks == []


def test_a_database_that_is_read_with_its_wal_file_is_not_remarked_upon(
    project: Project, tmp_path: Path
) -> None:
    path = tmp_path / "a.sqlite3"
    execute(path, "PRAGMA journal_mode = wal")
    execute(path, "CREATE TABLE t(x)")
    with uploads.copied(path) as upload:
        requested = import_version(
            project=project, requested_by=None, created_by="tests", upload=upload
        )
        assert "remarks" not in done(requested).info

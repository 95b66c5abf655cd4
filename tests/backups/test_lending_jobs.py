"""What the jobs of a project store when an earlier version holds it, and what they don't trust."""

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from django.conf import settings as configured

from backups import targets
from backups.imports import import_version
from backups.models import Backup
from backups.services import create_backup, delete_backups, restore_backup
from backups.sweeps import sweep_project
from backups.uploads import copied
from backups.verification import verify_backup
from jobs.models import Job
from jobs.tasks import run_job
from projects.databases import managed_path
from projects.models import Project
from projects.services import create_project, create_user
from tests.content import content_of, execute

pytestmark = pytest.mark.django_db(transaction=True)

FILL = """
import random, sqlite3, sys
chance = random.Random(int(sys.argv[2]))
connection = sqlite3.connect(sys.argv[1])
connection.execute("CREATE TABLE IF NOT EXISTS blobs (id INTEGER PRIMARY KEY, data BLOB)")
connection.execute("DELETE FROM blobs")
rows = ((number, chance.randbytes(3000)) for number in range(600))
connection.executemany("INSERT INTO blobs VALUES (?, ?)", rows)
connection.commit()
"""


@pytest.fixture
def project(settings: Any) -> Project:
    settings.SWEEP_GRACE_SECONDS = 0.0
    owner = create_user(username="owner", password="a long enough password")
    made = create_project(name="One", owner=owner)
    fill(made, 1)
    return made


def fill(project: Project, seed: int) -> None:
    """Two megabytes that can't be compressed, others for another seed."""
    path = str(managed_path(project))
    subprocess.run([sys.executable, "-c", FILL, path, str(seed)], check=True)


def run(job: Job) -> Job:
    run_job(str(job.token))
    job.refresh_from_db()
    assert job.status == Job.Status.DONE
    return job


def backed_up(project: Project) -> Backup:
    requested = create_backup(project=project, requested_by=None, created_by="tests")
    job = run(requested.job)
    assert job.ended_well, job.error
    return Backup.objects.get(pk=requested.backup.pk)


def put_back(project: Project, version: int) -> Backup:
    """Restore a version; the safety version that was made for it."""
    job = run(restore_backup(project=project, requested_by=None, version=version).job)
    assert job.ended_well, job.error
    return Backup.objects.get(job=job, purpose=Backup.Purpose.SAFETY)


def verified(project: Project, version: int) -> bool:
    job = run(verify_backup(project=project, requested_by=None, version=version).job)
    return bool(job.ended_well)


def share_of(backup: Backup) -> float:
    assert backup.stored is not None and backup.size
    return backup.stored / backup.size


def packs_of(backup: Backup) -> set[Path]:
    project_store = targets.store_of(backup.project)
    manifest = project_store.read_manifest(backup.manifest_key)
    keys = project_store.needed_keys(manifest)
    return {Path(configured.STORE_DIR) / key for key in keys if "/packs/" in key}


def replace(path: Path, data: bytes) -> None:
    os.unlink(path)
    path.write_bytes(data)


def test_a_restore_and_one_undo_after_the_other_store_next_to_nothing(project: Project) -> None:
    first = backed_up(project)
    held = [content_of(managed_path(project))]
    fill(project, 2)
    held.append(content_of(managed_path(project)))
    safety = put_back(project, first.version)
    assert share_of(safety) > 0.7, "what was never stored has to be"
    for number in range(4):
        assert content_of(managed_path(project)) == held[number % 2]
        safety = put_back(project, safety.version)
        assert share_of(safety) < 0.01
    # None of them needs any other one.
    delete_backups(project=project, versions=[1, 3, 5])
    assert run(sweep_project(project=project, requested_by=None)).ended_well
    for backup in Backup.objects.restorable().filter(project=project):
        assert verified(project, backup.version)


def test_a_copy_that_is_imported_into_its_own_project_costs_next_to_nothing(
    project: Project,
) -> None:
    backed_up(project)
    with copied(managed_path(project)) as upload:
        fill(project, 2)
        backed_up(project)
        requested = import_version(
            project=project, requested_by=None, created_by="tests", upload=upload
        )
        assert run(requested.job).ended_well
    imported = Backup.objects.get(pk=requested.backup.pk)
    assert share_of(imported) < 0.01
    assert verified(project, imported.version)


def test_what_may_share_damage_lends_nothing_until_it_is_found_whole(project: Project) -> None:
    first = backed_up(project)
    execute(managed_path(project), "DELETE FROM blobs WHERE id = 7")
    second = backed_up(project)
    assert share_of(second) < 0.1
    pack = max(packs_of(first), key=lambda path: path.stat().st_size)
    whole = pack.read_bytes()
    replace(pack, whole[:-1] + bytes([whole[-1] ^ 1]))
    assert not verified(project, first.version)

    execute(managed_path(project), "DELETE FROM blobs WHERE id = 8")
    third = backed_up(project)
    assert share_of(third) > 0.7
    assert not packs_of(third) & packs_of(second)
    # What was made after the damage was found is beyond doubt, and lends.
    execute(managed_path(project), "DELETE FROM blobs WHERE id = 9")
    fourth = backed_up(project)
    assert share_of(fourth) < 0.1
    assert not packs_of(fourth) & packs_of(first)
    assert verified(project, fourth.version)

    # So does what is found whole later.
    replace(pack, whole)
    assert verified(project, second.version)
    assert verified(project, first.version)
    put_back(project, first.version)
    assert share_of(backed_up(project)) < 0.01


def test_damage_casts_no_doubt_on_what_shares_nothing_with_it(project: Project) -> None:
    first = backed_up(project)
    fill(project, 2)
    second = backed_up(project)
    assert not packs_of(first) & packs_of(second), "the page that tells of both is another"
    pack = max(packs_of(first), key=lambda path: path.stat().st_size)
    replace(pack, pack.read_bytes()[:-1] + b"?")
    assert not verified(project, first.version)
    execute(managed_path(project), "DELETE FROM blobs WHERE id = 7")
    assert share_of(backed_up(project)) < 0.1


def test_damage_that_was_deleted_and_swept_is_not_forgotten(project: Project) -> None:
    first = backed_up(project)
    execute(managed_path(project), "DELETE FROM blobs WHERE id = 7")
    second = backed_up(project)
    pack = max(packs_of(first) & packs_of(second), key=lambda path: path.stat().st_size)
    replace(pack, pack.read_bytes()[:-1] + b"?")
    assert not verified(project, first.version)
    delete_backups(project=project, versions=[first.version])
    run(sweep_project(project=project, requested_by=None))
    execute(managed_path(project), "DELETE FROM blobs WHERE id = 8")
    third = backed_up(project)
    assert share_of(third) > 0.7
    assert verified(project, third.version)

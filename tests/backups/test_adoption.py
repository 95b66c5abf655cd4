"""The list of versions is made anew from what the storage holds."""

import json
from collections.abc import Mapping
from io import StringIO
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
from django.core.management import CommandError, call_command
from django.utils import timezone

from backups import targets
from backups.models import Backup, VersionCounter
from backups.recovery.survey import versions_in
from backups.services import create_backup, delete_backups
from backups.store.sweep import sweep
from backups.tasks.sweep import _Listed
from jobs import lifecycle
from jobs.events import latest_cursor
from jobs.models import Event, Job
from jobs.waiting import Exit
from projects.databases import managed_path
from projects.models import Membership, Project, User
from projects.services import create_project
from tests.staff import browser, superuser, text

from .disaster import make_unreadable
from .histories import GID, KEY, NEW_KEY, History
from .versions import content_of, ignore

pytestmark = pytest.mark.django_db

OTHER = "11111111-2222-4333-8444-555555555555"


@pytest.fixture
def anna() -> User:
    return superuser("anna")


@pytest.fixture(autouse=True)
def places(settings: Any, tmp_path: Path) -> None:
    settings.STORE_DIR = tmp_path / "store"
    settings.MANAGED_DATABASES_DIR = tmp_path / "databases"
    settings.STORE_KEYS = KEY.hex()


@pytest.fixture
def history(tmp_path: Path) -> History:
    """Four versions; the third has the content of the second."""
    made = History(tmp_path, tmp_path / "store")
    made.grow(40)
    made.take()
    made.grow(30)
    made.take()
    made.take()
    made.grow(5)
    made.take()
    return made


def adopt(*arguments: str) -> dict[str, Any]:
    """What the command tells when it must end well."""
    out = StringIO()
    call_command("adopt_store", *arguments, "--json", stdout=out)
    told: dict[str, Any] = json.loads(out.getvalue())
    assert told["refused"] == {}
    return told


def adopt_damaged(*arguments: str) -> dict[str, Any]:
    """The same, when it must end by saying that not all could be listed."""
    out = StringIO()
    with pytest.raises(CommandError) as caught:
        call_command("adopt_store", *arguments, "--json", stdout=out)
    assert caught.value.returncode == Exit.FAILED
    told: dict[str, Any] = json.loads(out.getvalue())
    return told


def refused(*arguments: str) -> str:
    """Why nothing was listed."""
    out = StringIO()
    with pytest.raises(CommandError, match="nothing was listed"):
        call_command("adopt_store", *arguments, "--json", stdout=out)
    return str(json.loads(out.getvalue())["refused"][GID])


def listed() -> list[int]:
    return list(Backup.objects.restorable().order_by("version").values_list("version", flat=True))


def test_what_is_listed_is_what_the_storage_tells(anna: User, history: History) -> None:
    (told,) = adopt("--owner", "anna")["projects"]
    assert told == {"project": GID, "versions": [1, 2, 3, 4], "damaged": [], "unreadable": []}
    project = Project.objects.get()
    assert (str(project.gid), project.name, project.owner) == (GID, f"recovered {GID}", anna)
    assert Membership.objects.get().role == Membership.Role.OWNER
    assert managed_path(project).read_bytes() == b""
    for stored, backup in zip(history.versions, Backup.objects.order_by("version"), strict=True):
        taken = stored.taken
        assert (backup.version, backup.name) == (stored.version, stored.name)
        assert backup.created_by == "the tests"
        assert backup.created_on.timestamp() == 1767225600.25 + stored.version
        assert backup.manifest_key == taken.manifest_key
        assert backup.parent_version == taken.parent_version
        assert backup.content_hash == taken.content_hash
        assert (backup.size, backup.unit_size) == (taken.size, taken.unit_size)
        assert backup.stored == taken.stored
        assert backup.facts == taken.facts
        assert backup.unchanged == (stored.version == 3)
        assert backup.state == Backup.State.COMPLETE
    assert VersionCounter.objects.get().next_version == 5


def test_one_ended_job_and_its_events_tell_of_it(anna: User, history: History) -> None:
    before = latest_cursor()
    adopt("--owner", "anna")
    job = Job.objects.get()
    assert (job.kind, job.status, job.error) == ("adopt_project", Job.Status.DONE, None)
    events = Event.objects.filter(cursor__gt=before).values_list("action", "data_type")
    assert list(events) == [
        ("INSERT", "cc.projects"),
        ("INSERT", "cc.projects_members"),
        ("UPDATE", "cc.projects"),
        ("INSERT", "jobs"),
    ]
    page = text(browser(anna).get(f"/admin/jobs/job/{job.pk}/change/"))
    assert "adopt project" in page


def test_a_second_run_changes_nothing(anna: User, history: History) -> None:
    adopt("--owner", "anna")
    rows = list(Backup.objects.values())
    cursor = latest_cursor()
    assert adopt("--owner", "anna")["projects"][0]["versions"] == []
    assert adopt()["projects"][0]["versions"] == []
    assert list(Backup.objects.values()) == rows
    assert latest_cursor() == cursor
    assert Job.objects.count() == 1


def test_what_has_a_row_is_left_as_it_is_and_what_was_deleted_stays_deleted(
    anna: User, history: History
) -> None:
    adopt("--owner", "anna")
    Backup.objects.filter(version=1).update(name="renamed")
    Backup.objects.filter(version=2).update(deleted_on=timezone.now())
    Backup.objects.filter(version=3).update(completed_on=None)  # as a job that failed leaves it
    Backup.objects.filter(version=4).delete()  # as a listing that was set back
    assert adopt()["projects"][0]["versions"] == [4]
    assert listed() == [1, 4]
    assert Backup.objects.get(version=1).name == "renamed"
    assert Backup.objects.get(version=2).state == Backup.State.DELETED
    assert VersionCounter.objects.get().next_version == 5


def test_damaged_versions_are_told_and_keep_no_other_from_being_listed(
    anna: User, history: History
) -> None:
    found = list(versions_in(history.project_store))
    packs = [set(one.outline.packs.values()) if one.outline else set() for one in found]
    for pack in packs[3] - packs[2]:
        (history.store / GID / "packs" / pack.name[:2] / pack.name).unlink()
    (history.store / found[0].key).chmod(0o600)
    (history.store / found[0].key).write_bytes(b"no manifest")
    (told,) = adopt_damaged("--owner", "anna")["projects"]
    assert told["versions"] == [2, 3]
    assert [one["version"] for one in told["damaged"]] == [1, 4]
    assert all(one["reason"] for one in told["damaged"])
    assert listed() == [2, 3]
    assert VersionCounter.objects.get().next_version == 5  # no number is given again
    assert all(backup.storage_damage for backup in Backup.objects.filter(version__in=[1, 4]))


def test_a_version_that_can_not_be_read_now_keeps_all_from_being_listed_until_it_can(
    anna: User, history: History
) -> None:
    manifest = history.store / history.versions[3].taken.manifest_key
    content = manifest.read_bytes()
    make_unreadable(manifest)
    assert "version 4 can't be read now" in refused("--owner", "anna")
    assert not Backup.objects.exists()
    manifest.unlink()
    manifest.write_bytes(content)
    assert adopt("--owner", "anna")["projects"][0]["versions"] == [1, 2, 3, 4]


def swept(project: Project) -> None:
    """Sweep by the rows there are, with no time of grace."""

    class Rows(_Listed):
        def __init__(self) -> None:
            self._all = Backup.objects.filter(project=project)
            self._backups = self._all.stored()

        def confirm(self) -> None:
            return

        def switch(self, keys: Mapping[str, str]) -> None:
            for old, new in keys.items():
                self._backups.filter(manifest_key=old).update(manifest_key=new)

    sweep(targets.store_of(project), Rows(), grace=0, progress=ignore)


def test_no_sweep_deletes_what_a_version_needs_that_no_row_knows(
    anna: User, history: History
) -> None:
    """As when Savepoint's own database was set back to an older state."""
    adopt("--owner", "anna")
    project = Project.objects.get()
    Backup.objects.filter(version__in=[1, 4]).delete()
    swept(project)
    assert adopt()["projects"][0]["versions"] == [1, 4]
    for stored in history.versions:
        key = Backup.objects.get(version=stored.version).manifest_key
        assert content_of(targets.store_of(project), key) == stored.content


def test_a_damaged_version_keeps_its_objects_until_it_is_whole_again_or_deleted(
    anna: User, history: History
) -> None:
    found = list(versions_in(history.project_store))
    packs = [set(one.outline.packs.values()) if one.outline else set() for one in found]
    (lost, *_) = packs[3] - packs[2]
    path = history.store / GID / "packs" / lost.name[:2] / lost.name
    content = path.read_bytes()
    path.unlink()
    adopt_damaged("--owner", "anna")
    project = Project.objects.get()
    swept(project)
    assert (history.store / found[3].key).exists()
    path.write_bytes(content)
    assert adopt()["projects"][0]["versions"] == [4]
    assert listed() == [1, 2, 3, 4]
    path.unlink()
    Backup.objects.filter(version=4).delete()
    adopt_damaged()
    delete_backups(project=project, versions=[4])
    swept(project)
    assert not (history.store / found[3].key).exists()
    assert adopt()["projects"][0]["damaged"] == []


def test_damage_of_the_database_is_told_of_a_version_that_is_listed_anew(
    anna: User, history: History
) -> None:
    data = bytearray(history.database.read_bytes())
    data[512 * 9 : 512 * 12] = bytes(512 * 3)
    history.database.write_bytes(data)
    stored = history.take(keep_damaged=True)
    assert adopt("--owner", "anna")["projects"][0]["versions"] == [1, 2, 3, 4, 5]
    assert Backup.objects.get(version=5).damage == stored.taken.facts["damage"] != ""
    assert Backup.objects.get(version=4).damage == ""


@pytest.mark.parametrize("how", ["damaged", "unreadable"])
def test_the_number_of_a_newest_version_that_can_not_be_listed_is_not_given_again(
    anna: User, history: History, how: str
) -> None:
    adopt("--owner", "anna")
    Backup.objects.filter(version=4).delete()
    VersionCounter.objects.update(next_version=4)
    manifest = history.store / history.versions[3].taken.manifest_key
    if how == "damaged":
        manifest.chmod(0o600)
        manifest.write_bytes(b"no manifest")
    else:
        make_unreadable(manifest)
    if how == "damaged":
        assert [one["version"] for one in adopt_damaged()["projects"][0][how]] == [4]
    else:
        assert "version 4" in refused()
        manifest.unlink()
        assert adopt()["projects"][0]["versions"] == []
        return
    assert VersionCounter.objects.get().next_version == 5


def test_a_dry_run_tells_the_same_and_changes_nothing(anna: User, history: History) -> None:
    assert adopt("--dry-run")["projects"][0]["versions"] == [1, 2, 3, 4]
    assert not Project.objects.exists()
    assert not Backup.objects.exists()
    out = StringIO()
    call_command("adopt_store", "--dry-run", stdout=out)
    assert out.getvalue() == f"{GID}  a new project: versions would be listed: 1, 2, 3, 4\n"


def test_a_project_that_is_missing_needs_an_owner_and_one_that_is_there_does_not(
    anna: User, history: History, tmp_path: Path
) -> None:
    other = History(tmp_path, tmp_path / "store", OTHER, seed=2)
    other.take()
    create_project(owner=anna, name="Known", gid=UUID(OTHER))
    with pytest.raises(CommandError, match=f"{GID}: it is not listed here; name its owner"):
        call_command("adopt_store", stdout=StringIO())
    assert [str(backup.project.gid) for backup in Backup.objects.all()] == [OTHER]
    assert Project.objects.get().name == "Known"
    adopt("--project", GID, "--owner", "anna")
    assert Project.objects.count() == 2
    with pytest.raises(CommandError, match="no versions of this project"):
        call_command("adopt_store", "--project", "nobody")


def test_nothing_of_a_deleted_project_is_listed(anna: User, history: History) -> None:
    adopt("--owner", "anna")
    Backup.objects.all().delete()
    Project.objects.update(status=Project.Status.DELETED)
    with pytest.raises(CommandError, match="it is deleted"):
        call_command("adopt_store", "--project", GID)
    err = StringIO()
    call_command("adopt_store", stderr=err)  # to the others it makes no difference
    assert f"{GID} is passed over: it is deleted" in err.getvalue()
    assert not Backup.objects.exists()


def test_nothing_is_listed_while_a_job_of_the_project_runs(anna: User, history: History) -> None:
    project = create_project(owner=anna, gid=UUID(GID))
    job = create_backup(project=project, requested_by=anna, created_by="me").job
    claim = lifecycle.claim(str(job.token), "host:cluster:1")
    assert claim
    with pytest.raises(CommandError, match="a job of it runs"):
        call_command("adopt_store")
    assert listed() == []
    lifecycle.fail(claim, "no matter why")
    # The number that the job took is its own for good.
    assert adopt()["projects"][0]["versions"] == [2, 3, 4]


def test_versions_that_other_keys_have_sealed_are_told(
    anna: User, history: History, settings: Any
) -> None:
    history.keys = (NEW_KEY, KEY)
    history.grow(2)
    history.take()
    (told,) = adopt_damaged("--owner", "anna")["projects"]
    assert told["versions"] == [1, 2, 3, 4]
    assert "is not configured" in told["damaged"][0]["reason"]
    settings.STORE_KEYS = f"{NEW_KEY.hex()} {KEY.hex()}"
    assert adopt()["projects"][0]["versions"] == [5]


def test_a_storage_that_is_not_there_is_told(anna: User, settings: Any, tmp_path: Path) -> None:
    settings.STORE_DIR = tmp_path / "elsewhere"
    with pytest.raises(CommandError, match="there is no folder"):
        call_command("adopt_store", "--owner", "anna")

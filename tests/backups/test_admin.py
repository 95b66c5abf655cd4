"""Versions in the admin, and the buttons that make and restore them."""

from pathlib import Path
from typing import Any

import pytest
from django.conf import settings
from django.contrib.admin.models import LogEntry
from django.urls import reverse
from django.utils import timezone

from backups.admin.states import STATES
from backups.models import Backup
from backups.services import create_backup
from backups.store.local import LocalStore
from jobs import lease, lifecycle
from jobs.models import Job
from projects.databases import managed_path
from projects.models import Project, User
from projects.services import create_project
from tests.staff import browser, messages, query_count, staff, superuser, text

pytestmark = pytest.mark.django_db

VERSIONS = reverse("admin:backups_backup_changelist")
PROJECTS = reverse("admin:projects_project_changelist")
LOOK = ("projects.view_project", "backups.view_backup", "jobs.view_job")


@pytest.fixture
def root() -> User:
    return superuser()


@pytest.fixture
def project(root: User) -> Project:
    return create_project(name="One", owner=root)


def pending(project: Project, name: str | None = None) -> Backup:
    return create_backup(
        project=project, requested_by=project.owner, created_by="tests", name=name
    ).backup


def claim(backup: Backup) -> lease.Claim:
    found = lifecycle.claim(str(backup.job.token), "host:cluster:1")
    assert found is not None
    return found


def complete(project: Project) -> Backup:
    """A version as its job leaves it."""
    backup = pending(project)
    with lifecycle.completion(claim(backup)):
        Backup.objects.filter(pk=backup.pk).update(
            completed_on=timezone.now(),
            manifest_key="key",
            size=4096 * 1000,
            unit_size=4096,
            stored=1234567,
            facts={"tables": {"<products>": 3}},
        )
    backup.refresh_from_db()
    return backup


def failed(project: Project) -> Backup:
    backup = pending(project)
    lifecycle.fail(claim(backup), "the database is damaged")
    return backup


def deleted(project: Project) -> Backup:
    backup = complete(project)
    Backup.objects.filter(pk=backup.pk).update(deleted_on=timezone.now())
    return backup


def page(row: Project | Backup) -> str:
    meta = row._meta
    return reverse(f"admin:{meta.app_label}_{meta.model_name}_change", args=[row.pk])


def back_up_at(project: Project) -> str:
    return reverse("admin:projects_project_backup", args=[project.pk])


def restore_at(backup: Backup) -> str:
    return reverse("admin:backups_backup_restore", args=[backup.pk])


def restores() -> int:
    return Job.objects.filter(kind="restore_project").count()


# --- What is shown --------------------------------------------------------------------------------


def test_the_list_is_for_those_with_the_permission(root: User) -> None:
    assert text(browser(root).get(VERSIONS))
    assert browser(staff()).get(VERSIONS).status_code == 403


def test_a_versions_page_tells_its_facts(project: Project, root: User) -> None:
    backup = complete(project)
    seen = text(browser(root).get(page(backup)))
    assert 'title="4,096,000 bytes"' in seen
    assert 'title="1,234,567 bytes"' in seen
    assert "&lt;products&gt;" in seen
    assert "the database is damaged" in text(browser(root).get(page(failed(project))))


def test_a_projects_page_and_the_list_of_projects_tell_of_its_versions(
    project: Project, root: User
) -> None:
    deleted(project)
    newest = complete(project)
    failed(project)
    waiting = pending(project)
    response = browser(root).get(page(project))
    rows = response.context["version_rows"]
    states = [(row["backup"].version, row["backup"].state) for row in rows]
    assert states == [(4, "pending"), (3, "failed"), (2, "complete"), (1, "deleted")]
    seen = text(response)
    assert seen.count(restore_at(newest)) == 1
    assert restore_at(waiting) not in seen

    [listed] = browser(root).get(PROJECTS).context["cl"].result_list
    assert (listed.version_count, listed.newest_on) == (1, newest.created_on)
    assert listed.stored_sum == 1234567


def test_the_filter_by_state_agrees_with_the_state_of_each(project: Project, root: User) -> None:
    for make in (complete, failed, deleted, pending):
        make(project)
    for state in STATES:
        found = browser(root).get(VERSIONS, {"state": str(state)}).context["cl"].queryset
        assert [backup.state for backup in found] == [state]


def test_versions_are_found_by_name_and_creator(project: Project, root: User) -> None:
    pending(project, name="Before the sale")
    pending(project)
    for term, count in (("sale", 1), ("tests", 2), ("nobody", 0)):
        found = browser(root).get(VERSIONS, {"q": term}).context["cl"].queryset
        assert len(found) == count


def test_versions_are_facts(project: Project, root: User) -> None:
    backup, client = complete(project), browser(root)
    assert client.get(reverse("admin:backups_backup_add")).status_code == 403
    assert client.post(page(backup), {"name": "Mine"}).status_code == 403
    gone = reverse("admin:backups_backup_delete", args=[backup.pk])
    assert client.post(gone, {"post": "yes"}).status_code == 403
    backup.refresh_from_db()
    assert backup.name == "Backup 1"


def test_who_may_not_see_versions_sees_none_on_a_projects_page(project: Project) -> None:
    backup = complete(project)
    seen = text(browser(staff("projects.view_project")).get(page(project)))
    assert backup.name not in seen
    assert "Back up now" not in seen


@pytest.mark.parametrize(
    "columns", [{"damage": "a broken <page>"}, {"storage_damage": "a broken <page>"}], ids=str
)
def test_a_damaged_version_is_red_wherever_it_is_seen_and_before_its_restore(
    project: Project, root: User, columns: dict[str, str]
) -> None:
    backup = complete(project)
    red, green = "state-damaged", "state-complete"
    client = browser(root)
    for address in (VERSIONS, page(project), page(backup)):
        seen = text(client.get(address))
        assert green in seen
        assert red not in seen
    assert "Damage found" not in text(client.get(restore_at(backup)))
    Backup.objects.filter(pk=backup.pk).update(**columns)
    for address in (VERSIONS, page(project), page(backup)):
        seen = text(client.get(address))
        assert red in seen
        assert green not in seen
        assert "a broken &lt;page&gt;" in seen
    assert "a broken &lt;page&gt;" in text(client.get(restore_at(backup)))


def test_a_version_that_was_not_fully_checked_says_so(project: Project, root: User) -> None:
    backup = complete(project)
    Backup.objects.filter(pk=backup.pk).update(unchecked="the collation <UNI>")
    client = browser(root)
    for address in (VERSIONS, page(project), page(backup)):
        seen = text(client.get(address))
        assert "not fully checked</span>" in seen
        assert "state-damaged" not in seen
    assert "the collation &lt;UNI&gt;" in text(client.get(page(backup)))
    assert "the collation &lt;UNI&gt;" in text(client.get(restore_at(backup)))


# --- Back up now ----------------------------------------------------------------------------------


def test_the_button_asks_for_a_version_in_the_users_name(project: Project) -> None:
    user = staff("backups.add_backup", *LOOK)
    response = browser(user).post(back_up_at(project), {"name": "Before"}, follow=True)
    backup = Backup.objects.get()
    assert (backup.name, backup.created_by, backup.requested_by) == ("Before", "staff", user)
    assert reverse("admin:jobs_job_change", args=[backup.job.pk]) in messages(response)
    assert "ersion 1" in messages(response)
    assert LogEntry.objects.filter(user=user, change_message="Asked for a backup.").exists()


def test_without_a_name_a_version_has_its_number_as_name(project: Project, root: User) -> None:
    browser(root).post(back_up_at(project), {"name": ""})
    assert Backup.objects.get().name == "Backup 1"


def test_the_action_asks_for_a_version_of_each_project(project: Project, root: User) -> None:
    two = create_project(name="Two", owner=root)
    form = {"action": "back_up_selected", "_selected_action": [project.pk, two.pk]}
    assert browser(root).post(PROJECTS, form).status_code == 302
    assert {backup.project for backup in Backup.objects.all()} == {project, two}


@pytest.mark.parametrize("name", ["Backup 7", "\u200b", "x" * 201])
def test_a_bad_name_is_told_and_nothing_is_done(name: str, project: Project, root: User) -> None:
    response = browser(root).post(back_up_at(project), {"name": name}, follow=True)
    assert "the name" in messages(response)
    assert not Backup.objects.exists()


def test_why_a_backup_can_not_be_started_is_told(project: Project, root: User) -> None:
    managed_path(project).unlink()
    response = browser(root).post(back_up_at(project), follow=True)
    assert "does not exist" in messages(response)
    assert not Job.objects.exists()


def test_nothing_is_done_for_a_deleted_project(project: Project, root: User) -> None:
    backup = complete(project)
    Project.objects.update(status=Project.Status.DELETED)
    client = browser(root)
    assert "deleted" in messages(client.post(back_up_at(project), follow=True))
    assert "deleted" in messages(client.post(restore_at(backup), follow=True))
    assert "Back up now" not in text(client.get(page(project)))
    assert Job.objects.count() == 1


def test_to_back_up_takes_the_permission_and_the_forms_token(project: Project, root: User) -> None:
    reader = browser(staff("backups.change_backup", *LOOK))
    assert reader.post(back_up_at(project)).status_code == 403
    reader.post(PROJECTS, {"action": "back_up_selected", "_selected_action": project.pk})
    assert "Back up now" not in text(reader.get(page(project)))
    assert browser(root, enforce_csrf_checks=True).post(back_up_at(project)).status_code == 403
    assert browser(root).get(back_up_at(project)).status_code == 404
    assert browser(None).post(back_up_at(project)).status_code == 302
    assert not Job.objects.exists()


def test_a_project_that_does_not_exist_is_not_found(root: User) -> None:
    client = browser(root)
    assert client.post(reverse("admin:projects_project_backup", args=[77])).status_code == 404
    assert client.post(reverse("admin:backups_backup_restore", args=[77])).status_code == 404


# --- Restore --------------------------------------------------------------------------------------


def test_a_restore_is_confirmed_first_and_then_asked_for(project: Project) -> None:
    backup, user = complete(project), staff("backups.change_backup", *LOOK)
    LocalStore(Path(settings.STORE_DIR)).put(backup.manifest_key, b"its manifest is there")
    client = browser(user)
    seen = text(client.get(restore_at(backup)))
    assert all(fact in seen for fact in ("One", "SQLite, managed", "Backup 1", "4,096,000 bytes"))
    assert restores() == 0
    assert '<input type="checkbox" name="safety" checked>' in seen
    response = client.post(restore_at(backup), {"safety": "on"}, follow=True)
    job = Job.objects.get(kind="restore_project")
    assert (job.arguments, job.requested_by) == ({"version": 1, "safety": True}, user)
    assert reverse("admin:jobs_job_change", args=[job.pk]) in messages(response)
    client.post(restore_at(backup), follow=True)
    assert Job.objects.filter(kind="restore_project", arguments__safety=False).count() == 1


@pytest.mark.parametrize("make", [pending, failed, deleted])
@pytest.mark.parametrize("method", ["get", "post"])
def test_only_a_complete_version_is_restored(
    make: Any, method: str, project: Project, root: User
) -> None:
    backup, client = make(project), browser(root)
    response = getattr(client, method)(restore_at(backup), follow=True)
    assert "can't be restored" in messages(response).replace("&#x27;", "'")
    assert restore_at(backup) not in text(client.get(page(backup)))
    assert restores() == 0


def test_to_restore_takes_the_permission_and_the_forms_token(project: Project, root: User) -> None:
    backup = complete(project)
    reader = browser(staff("backups.add_backup", *LOOK))
    assert reader.get(restore_at(backup)).status_code == 403
    assert reader.post(restore_at(backup)).status_code == 403
    assert restore_at(backup) not in text(reader.get(page(backup)))
    assert restore_at(backup) not in text(reader.get(page(project)))
    assert browser(root, enforce_csrf_checks=True).post(restore_at(backup)).status_code == 403
    assert browser(None).post(restore_at(backup)).status_code == 302
    assert restores() == 0


def test_why_a_restore_can_not_be_started_is_told(
    project: Project, root: User, settings: Any, tmp_path: Path
) -> None:
    backup = complete(project)
    # A file where a folder would have to be: nobody can write below it, not even root.
    (tmp_path / "file").touch()
    settings.STORE_DIR = tmp_path / "file" / "store"
    response = browser(root).post(restore_at(backup), follow=True)
    assert "the restore was not started" in messages(response)
    assert restores() == 0


# --- Speed ----------------------------------------------------------------------------------------


def test_queries_do_not_grow_with_the_versions(project: Project, root: User) -> None:
    addresses = (VERSIONS, PROJECTS, page(project))
    complete(project)
    client = browser(root)
    few = [query_count(lambda address=address: client.get(address)) for address in addresses]
    for number in range(5):
        complete(project)
        failed(project)
        complete(create_project(name=f"P{number}", owner=root))
    many = [query_count(lambda address=address: client.get(address)) for address in addresses]
    assert many == few

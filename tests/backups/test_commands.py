"""The commands where no worker runs, and who and what they name."""

import json
import os
import signal
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from config.keys import make_missing
from tests.commands import attempt, run, started


class Installation:
    """Savepoint's settings, keys and database in a folder; nothing runs there yet."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.environment = os.environ | {"DATA_DIR": str(folder)}
        make_missing(folder / "keys")
        run(self.environment, "migrate", "-v0")


@pytest.fixture(scope="module")
def installation(tmp_path_factory: pytest.TempPathFactory) -> Installation:
    """An installation without workers, with the person `anna`."""
    made = Installation(tmp_path_factory.mktemp("installation"))
    run(
        made.environment,
        *("shell", "--no-imports", "-c"),
        "from projects.services import create_user\n"
        "create_user(username='anna', password='a long enough password')",
    )
    return made


def add_project(installation: Installation, name: str) -> str:
    told = run(installation.environment, "add_project", name, "--owner", "anna", "--json")
    return str(json.loads(told)["project"])


def shell(installation: Installation, code: str) -> str:
    return run(installation.environment, "shell", "--no-imports", "-c", code).strip()


def test_waiting_says_that_no_worker_has_taken_the_job_and_ctrl_c_that_it_goes_on(
    installation: Installation,
) -> None:
    gid = add_project(installation, "Nobody works")
    with started(installation.environment, "backup", gid, "--wait") as backup:
        backup.says("no worker has taken the job yet")
        backup.process.send_signal(signal.SIGINT)
        assert backup.end() == 130
        said = "".join(backup.err)
    (job,) = json.loads(run(installation.environment, "jobs", gid, "--json"))["jobs"]
    assert f"the job {job['job.token']} goes on" in said
    assert "Traceback" not in said
    assert job["status"] == "queued"


def test_waiting_ends_at_the_timeout_with_4_and_the_state_so_far(
    installation: Installation,
) -> None:
    gid = add_project(installation, "Too slow")
    done = attempt(installation.environment, "backup", gid, "--wait", "--timeout", "0.5", "--json")
    assert done.returncode == 4
    assert json.loads(done.stdout)["status"] == "queued"
    assert "has not ended in time; it goes on" in done.stderr
    assert run(installation.environment, "versions", gid).splitlines()[1:] == []
    assert "pending" in run(installation.environment, "versions", gid, "--all")


def test_a_job_that_is_rejected_while_it_is_waited_for_ends_the_command_with_3(
    installation: Installation,
) -> None:
    gid = add_project(installation, "Rejected")
    with started(installation.environment, "backup", gid, "--wait", "--json") as backup:
        backup.says("backup_project queued")
        shell(
            installation,
            "from jobs import lifecycle\nfrom jobs.models import Job\n"
            f"lifecycle.cancel(Job.objects.get(project__gid='{gid}'))",
        )
        assert backup.end() == 3
    assert json.loads("".join(backup.out))["status"] == "rejected"
    assert "rejected" in "".join(backup.err)


def test_a_name_that_two_projects_have_is_refused_with_their_gids(
    installation: Installation,
) -> None:
    gids = {add_project(installation, "Twice") for _ in range(2)}
    done = attempt(installation.environment, "backup", "Twice")
    assert (done.returncode, done.stdout) == (1, "")
    assert all(gid in done.stderr for gid in gids)
    for gid in gids:
        assert run(installation.environment, "backup", gid.upper()).startswith("version 1 ")


def test_a_deleted_project_is_looked_at_but_not_backed_up(installation: Installation) -> None:
    gid = add_project(installation, "Deleted")
    run(installation.environment, "backup", gid)
    shell(
        installation,
        "from projects.models import Project\n"
        f"Project.objects.filter(gid='{gid}').update(status='deleted')",
    )
    for arguments in (
        ("backup", gid),
        ("restore", gid, "1", "--yes"),
        ("create_api_key", gid, "key"),
        ("add_member", gid, "anna", "--role", "viewer"),
    ):
        done = attempt(installation.environment, *arguments)
        assert done.returncode == 1
        assert "is deleted" in done.stderr
    assert "backup_project" in run(installation.environment, "jobs", gid)


def test_members_are_people_with_a_role_and_the_owner_stays_the_owner(
    installation: Installation,
) -> None:
    gid = add_project(installation, "Members")
    berta = shell(
        installation,
        "from projects.services import create_user\n"
        "print(create_user(username='berta', password='a long enough password').gid)",
    )
    key = json.loads(run(installation.environment, "create_api_key", gid, "key", "--json"))
    for user, role in (("berta", "member"), (berta, "viewer")):
        told = run(installation.environment, "add_member", gid, user, "--role", role, "--json")
        assert json.loads(told) == {"project": gid, "user": berta, "role": role}
    assert shell(
        installation,
        "from projects.models import Membership\n"
        f"print(*Membership.objects.filter(project__gid='{gid}', user__gid='{berta}')"
        ".values_list('role', 'status'))",
    ) == ("('viewer', 'active')")
    refused = {
        "anna": "is the owner",
        "nobody": "there is no user 'nobody'",
        f"api-{key['prefix']}": "not a person",
    }
    for user, reason in refused.items():
        done = attempt(installation.environment, "add_member", gid, user, "--role", "member")
        assert done.returncode == 1
        assert reason in done.stderr
    done = attempt(installation.environment, "add_member", gid, "berta", "--role", "owner")
    assert done.returncode == 2


def test_a_project_is_added_with_a_good_name_owner_and_address_only(
    installation: Installation,
) -> None:
    outside = installation.folder.parent / "outside.sqlite3"
    refused = {
        ("Fine", "--owner", "nobody"): "there is no user",
        (" ", "--owner", "anna"): "must not be blank",
        ("Fine", "--owner", "anna", "--address", f"sqlite:///{outside}"): "SQLITE_ROOTS",
        ("Fine", "--owner", "anna", "--address", "mysql://x"): "an address is",
    }
    for arguments, reason in refused.items():
        done = attempt(installation.environment, "add_project", *arguments)
        assert (done.returncode, done.stdout) == (1, ""), arguments
        assert reason in done.stderr, arguments
        assert "Traceback" not in done.stderr, arguments
    environment = installation.environment | {"SQLITE_ROOTS": str(outside.parent)}
    address = f"sqlite:///{outside}"
    said = run(environment, "add_project", "Elsewhere", "--owner", "anna", "--address", address)
    gid, name = said.split()
    assert name == "Elsewhere"
    assert shell(
        installation,
        "from projects.databases import open_address\nfrom projects.models import Project\n"
        f"print(open_address(Project.objects.get(gid='{gid}')))",
    ) == (address)


@pytest.mark.parametrize(
    ("given", "meant"),
    [
        ("{year}-12-31", "{next}-01-01T00:00:00+00:00"),
        ("{year}-06-30T18:00", "{year}-06-30T18:00:00+00:00"),
        ("{year}-06-30T18:00+02:00", "{year}-06-30T16:00:00+00:00"),
    ],
)
def test_a_key_expires_when_its_last_day_has_ended_or_at_the_moment_that_is_given(
    installation: Installation, given: str, meant: str
) -> None:
    year = datetime.now(UTC).year + 2
    gid = add_project(installation, f"Expiring {given}")
    told = json.loads(
        run(
            installation.environment,
            *("create_api_key", gid, "key", "--json"),
            *("--expires", given.format(year=year)),
        )
    )
    expected = datetime.fromisoformat(meant.format(year=year, next=year + 1))
    assert told["expires_on"] == expected.timestamp()


def test_a_key_that_has_expired_already_is_not_made(installation: Installation) -> None:
    gid = add_project(installation, "Expired")
    yesterday = str((datetime.now(UTC) - timedelta(days=1)).date())
    for day, code in ((yesterday, 1), ("tomorrow", 2)):
        done = attempt(installation.environment, "create_api_key", gid, "k", "--expires", day)
        assert (done.returncode, done.stdout) == (code, "")


def test_control_characters_in_what_others_wrote_never_reach_the_terminal(
    installation: Installation,
) -> None:
    gid = add_project(installation, "Steered")
    run(installation.environment, "backup", gid, "--created-by", "somebody")
    # Refused today; older versions took it, and so does a manifest that is adopted.
    shell(
        installation,
        "from backups.models import Backup;"
        f"Backup.objects.filter(project__gid='{gid}').update("
        "created_by='red ' + chr(27) + '[31m and more')",
    )
    listed = run(installation.environment, "versions", gid, "--all")
    assert "red ?[31m and more" in listed
    assert "\x1b" not in listed


def test_an_installation_without_its_tables_is_told_in_one_line(
    installation: Installation,
) -> None:
    environment = installation.environment | {
        "DATABASE_URL": f"sqlite:///{installation.folder}/empty.sqlite3"
    }
    done = attempt(environment, "jobs")
    assert done.returncode == 1
    assert "Savepoint's own database: no such table" in done.stderr
    assert "Traceback" not in done.stderr

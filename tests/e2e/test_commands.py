"""The commands, as people and scripts run them beside a running service."""

import json
import os
import signal
import subprocess
from typing import Any

import pytest

from tests.commands import Terminal, attempt, manage, run, started
from tests.content import content_of, execute
from tests.service import ROOT, Client, Service, eventually


def jobs_of(service: Service, gid: str) -> list[dict[str, Any]]:
    jobs: list[dict[str, Any]] = json.loads(run(service.environment, "jobs", gid, "--json"))["jobs"]
    return jobs


def test_a_backup_and_a_restore_by_commands_bring_the_database_back(service: Service) -> None:
    gid, database = service.add_project(name="By commands")
    before = content_of(database)
    made = attempt(
        service.environment,
        *("backup", "By commands", "--name", "before", "--created-by", "a script"),
        *("--wait", "--json"),
    )
    assert made.returncode == 0, made.stderr
    told = json.loads(made.stdout)
    assert set(told) == {
        "project",
        "version",
        "last_backed_up",
        "job.token",
        "status",
        "info",
        "damage",
        "unchecked",
    }
    assert (told["project"], told["version"], told["status"]) == (gid, 1, "done")
    assert told["info"]["remaining"] == 0
    assert "error" not in told["info"]
    assert "backup_project done 100%" in made.stderr.splitlines()
    assert "\x1b" not in made.stderr

    execute(database, "DELETE FROM products")
    assert content_of(database) != before
    restored = attempt(service.environment, "restore", gid, "1", "--yes", "--wait")
    assert restored.returncode == 0, restored.stderr
    assert restored.stdout.splitlines()[-1] == "version 1 is restored"
    assert content_of(database) == before

    listed = json.loads(run(service.environment, "versions", gid, "--json"))
    assert listed["project"] == gid
    kept, version = listed["versions"]
    assert (kept["version"], kept["purpose"], kept["created_by"]) == (2, "safety", "Savepoint")
    assert (version["version"], version["name"], version["created_by"]) == (1, "before", "a script")
    assert (version["timestamp"], version["state"]) == (told["last_backed_up"], "complete")
    assert version["size"] == database.stat().st_size
    assert [job["job"] for job in jobs_of(service, gid)] == ["restore_project", "backup_project"]
    assert jobs_of(service, gid)[1]["job.token"] == told["job.token"]
    table = run(service.environment, "versions", gid)
    assert "Before restoring version 1" in table and "before a restore" in table


def test_a_restore_is_undone_and_its_undoing_too(service: Service) -> None:
    gid, database = service.add_project(name="Undone")
    undo = ("undo", "Undone", "--yes", "--wait")
    refused = attempt(service.environment, *undo)
    assert refused.returncode == 1
    assert "no version was kept before a restore" in refused.stderr
    before = content_of(database)
    run(service.environment, "backup", gid, "--wait")
    execute(database, "DELETE FROM products")
    emptied = content_of(database)
    run(service.environment, "restore", gid, "1", "--yes", "--wait")
    assert content_of(database) == before
    assert run(service.environment, *undo).splitlines()[-1] == "version 2 is restored"
    assert content_of(database) == emptied
    assert run(service.environment, *undo).splitlines()[-1] == "version 3 is restored"
    assert content_of(database) == before
    run(service.environment, *undo, "--no-safety")
    assert content_of(database) == emptied
    listed = json.loads(run(service.environment, "versions", gid, "--json"))["versions"]
    assert [(one["version"], one["purpose"]) for one in listed] == [
        (4, "safety"),
        (3, "safety"),
        (2, "safety"),
        (1, "asked_for"),
    ]


def test_without_wait_the_version_and_its_job_are_told_at_once(
    service: Service, client: Client
) -> None:
    gid, _ = service.add_project(name="At once")
    cursor = client.cursor()
    said = run(service.environment, "backup", "At once").split()
    job = said[-1]
    assert said == f"version 1 is asked for: job {job}".split()
    assert client.wait_for(job, cursor)[-1]["data"]["project_gid"] == gid


def test_on_a_terminal_a_bar_is_drawn_and_standard_output_holds_the_json_alone(
    service: Service,
) -> None:
    gid, _ = service.add_project(name="On a terminal")
    terminal = Terminal(service.environment, "backup", gid, "--wait", "--json")
    code, out = terminal.end()
    assert code == 0, terminal.shown
    assert json.loads(out)["status"] == "done"
    assert "\x1b[2K" in terminal.shown, "no line was drawn anew"
    assert "backup_project done" in terminal.shown
    assert "100%" in terminal.shown


def test_a_dumb_terminal_gets_lines(service: Service) -> None:
    gid, _ = service.add_project(name="On a dumb terminal")
    terminal = Terminal(service.environment, "backup", gid, "--wait", term="dumb")
    code, out = terminal.end()
    assert (code, out.splitlines()[-1]) == (0, "version 1 is complete")
    assert "backup_project done 100%" in terminal.shown.splitlines()
    assert "\x1b[2K" not in terminal.shown


def test_a_restore_asks_on_a_terminal_and_does_nothing_without_a_yes(service: Service) -> None:
    gid, database = service.add_project(name="Asked for")
    run(service.environment, "backup", gid, "--wait")
    before = content_of(database)
    execute(database, "DELETE FROM images")
    changed = content_of(database)

    unasked = attempt(service.environment, "restore", gid, "1", "--wait")
    assert (unasked.returncode, unasked.stdout) == (1, "")
    assert "--yes" in unasked.stderr
    for answer in ("no\n", "\n", "\x04"):
        terminal = Terminal(service.environment, "restore", gid, "1", "--wait")
        terminal.says("Type yes")
        terminal.type(answer)
        assert terminal.end()[0] == 1
        assert "nothing was done" in terminal.shown
    assert len(jobs_of(service, gid)) == 1
    assert content_of(database) == changed

    terminal = Terminal(service.environment, "restore", gid, "1", "--wait", "--json")
    terminal.says("Type yes")
    terminal.type("yes\n")
    code, out = terminal.end()
    assert code == 0, terminal.shown
    assert json.loads(out)["status"] == "done"
    assert content_of(database) == before


def test_a_job_that_fails_ends_the_command_with_3_and_its_reason(service: Service) -> None:
    gid, database = service.add_project(name="Not a database")
    for path in database.parent.glob(f"{database.name}*"):
        path.unlink()
    database.write_bytes(b"this is no database, however long it is read" * 1000)
    failed = attempt(service.environment, "backup", gid, "--wait", "--json")
    assert failed.returncode == 3
    told = json.loads(failed.stdout)
    reason = told["info"]["error"]["info"]["reason"]
    assert told["status"] == "done"
    assert f"the job failed: {reason}" in failed.stderr
    assert "Traceback" not in failed.stderr

    assert json.loads(run(service.environment, "versions", gid, "--json"))["versions"] == []
    (version,) = json.loads(run(service.environment, "versions", gid, "--all", "--json"))[
        "versions"
    ]
    assert (version["state"], version["size"]) == ("failed", None)
    assert reason in run(service.environment, "jobs", gid)


def test_what_is_refused_is_one_line_and_exit_code_1(service: Service) -> None:
    gid, database = service.add_project(name="Refusing")
    refused = {
        ("backup", gid, "--name", "Backup 99"): "name: names like 'Backup 1'",
        ("backup", gid, "--created-by", " "): "created_by: must not be blank",
        ("restore", gid, "9", "--yes"): "version 9 does not exist",
        ("restore", gid, "0", "--yes"): "version 0 does not exist",
        ("backup", "nobody knows it"): "there is no project 'nobody knows it'",
        ("watch", gid, "--cursor", "999999999"): "does not know the cursor 999999999",
    }
    for arguments, reason in refused.items():
        done = attempt(service.environment, *arguments)
        assert (done.returncode, done.stdout) == (1, ""), arguments
        assert reason in done.stderr, arguments
        assert "Traceback" not in done.stderr, arguments
    database.unlink()
    done = attempt(service.environment, "backup", gid, "--wait", "--json")
    assert (done.returncode, done.stdout) == (1, "")
    assert "database does not exist" in done.stderr
    assert jobs_of(service, gid) == []


def test_watch_follows_the_events_of_its_projects_and_ends_well_on_ctrl_c(
    service: Service,
) -> None:
    gid, _ = service.add_project(name="Watched")
    other, _ = service.add_project(name="Not watched")
    with started(service.environment, "watch", "Watched", "--json") as watch:
        watch.says("watching from cursor")
        run(service.environment, "backup", other, "--wait")
        job = json.loads(run(service.environment, "backup", gid, "--wait", "--json"))["job.token"]
        eventually(lambda: '"status": "done"' in "".join(watch.out), "the end of the job is seen")
        watch.process.send_signal(signal.SIGINT)
        assert watch.end() == 0
        events = [json.loads(line) for line in watch.out]
    assert all(event["data_key"] in (job, gid) for event in events)
    statuses = [event["data"]["status"] for event in events if event["data_key"] == job]
    assert (statuses[0], statuses[-1]) == ("queued", "done")
    cursors = [event["cursor"] for event in events]
    assert cursors == sorted(set(cursors))
    assert "Traceback" not in "".join(watch.err)

    # The same events again, from a cursor, for people; everyone's, as no project is named.
    with started(service.environment, "watch", "--cursor", str(cursors[0] - 1)) as again:
        eventually(lambda: "Watched  backup_project done" in "".join(again.out), "they come again")
    lines = [line for line in again.out if job in line]
    assert [int(line.split()[1]) for line in lines] == [
        event["cursor"] for event in events if event["data_key"] == job
    ]


def test_watch_ends_when_nobody_reads_it_any_more(service: Service) -> None:
    process = subprocess.Popen(
        manage("watch", "--cursor", "0"),
        cwd=ROOT,
        env=service.environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None
    assert process.stderr is not None
    with process, process.stderr:
        assert process.stdout.readline()
        # Nothing needs to happen for it to end: no further event wakes it.
        process.stdout.close()
        assert process.wait(timeout=30) == 0
        said = process.stderr.read()
    assert "Traceback" not in said
    assert "BrokenPipe" not in said


def test_the_api_key_that_is_printed_signs_in(service: Service) -> None:
    gid, _ = service.add_project(name="Keys")
    made = attempt(service.environment, "create_api_key", gid, "pipeline", "--role", "viewer")
    key = made.stdout.removesuffix("\n")
    assert made.returncode == 0
    assert key.startswith("sp_")
    assert key.split() == [key]
    assert key not in made.stderr
    client = Client(service.url, gid)
    result = client.call(f"/api/p/{gid}/auth", api_key=key)
    assert result["user_projects"] == {gid: ["viewer"]}


@pytest.mark.parametrize("signal_number", [signal.SIGINT, signal.SIGKILL])
def test_a_command_that_is_ended_leaves_its_job_to_the_workers(
    service: Service, client: Client, signal_number: int
) -> None:
    gid, database = service.add_project(megabytes=60, name=f"Left {signal_number}")
    cursor = client.cursor()
    with started(service.environment, "backup", gid, "--wait", "--json") as backup:
        backup.says("backup_project")
        os.kill(backup.process.pid, signal_number)
        assert backup.end() == (130 if signal_number == signal.SIGINT else -signal.SIGKILL)
    (job,) = jobs_of(service, gid)
    assert "error" not in client.wait_for(job["job.token"], cursor)[-1]["data"]["info"]
    before = content_of(database)
    execute(database, "DELETE FROM prices")
    run(service.environment, "restore", gid, "1", "--yes", "--wait")
    assert content_of(database) == before

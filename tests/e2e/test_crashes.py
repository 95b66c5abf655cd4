"""Processes are killed for real; nothing is lost and nothing hangs."""

import os
import signal
import sqlite3
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path

from tests.content import content_of, execute
from tests.service import Client, Service, eventually, has_ended, title_of


def worker_of(service: Service, job: str) -> int:
    """The process that works on the job at this moment; fails unless it is being processed."""
    status, worker = service.shell(
        f"from jobs.models import Job\nj = Job.objects.get(token='{job}')\nprint(j.status, j.worker)"
    ).split()
    assert status == "processing", f"the job is {status}: the kill would prove nothing"
    return int(worker.rpartition(":")[2])


def stop_worker_in_the_middle(service: Service, client: Client, cursor: int, job: str) -> int:
    """Freeze the job's worker as soon as it is processing; returns its pid."""
    started = lambda event: event["data_key"] == job and event["data"]["status"] == "processing"  # noqa: E731
    client.poll(cursor, started)
    with sqlite3.connect(service.folder / "savepoint.sqlite3") as control:
        worker = control.execute(
            "SELECT worker FROM jobs_job WHERE token = ?", (job.replace("-", ""),)
        ).fetchone()[0]
    control.close()
    pid = int(worker.rpartition(":")[2])
    os.kill(pid, signal.SIGSTOP)
    return pid


def whole_tree(service: Service) -> dict[int, str]:
    """All processes of the service, once its workers are there too."""

    def found() -> dict[int, str] | None:
        tree = service.processes()
        return tree if sum("idle" in title for title in tree.values()) >= 2 else None

    tree = eventually(found, "the workers are up")
    assert tree is not None
    return tree


def kill(pid: int) -> None:
    """Kill a frozen worker, unless the service has done so meanwhile."""
    with suppress(ProcessLookupError):
        os.kill(pid, signal.SIGKILL)


def assert_gone(processes: Iterable[int]) -> None:
    assert eventually(lambda: not any(map(title_of, processes)), "all of them have ended")


def add_large_project(service: Service) -> str:
    return service.add_project(megabytes=150, name="Large")[0]


def test_a_backup_whose_worker_is_killed_is_run_again_and_never_half_listed(
    own_service: Service,
) -> None:
    gid = add_large_project(own_service)
    client = own_service.client()
    cursor = client.cursor()
    created = client.create(gid)
    job = created["job.token"]
    pid = stop_worker_in_the_middle(own_service, client, cursor, job)
    assert worker_of(own_service, job) == pid
    assert client.versions(gid) == []
    kill(pid)

    events = client.wait_for(job, cursor)
    statuses = [event["data"]["status"] for event in events]
    assert statuses.count("queued") == 2, statuses
    assert statuses[-1] == "done"
    assert "error" not in events[-1]["data"]["info"]
    remaining = [event["data"]["info"]["remaining"] for event in events]
    assert remaining == sorted(remaining, reverse=True)
    assert [item["version"] for item in client.versions(gid)] == [created["version"]]


def test_a_restore_whose_worker_is_killed_has_changed_nothing_and_is_run_again(
    own_service: Service,
) -> None:
    gid, database = own_service.add_project(megabytes=150, name="Large")
    client = own_service.client()
    saved = content_of(database)
    version = client.backup(gid)
    execute(database, "UPDATE products SET description = description || ' changed'")
    changed = content_of(database)
    cursor = client.cursor()
    job = client.restore(version, gid)["job.token"]
    pid = stop_worker_in_the_middle(own_service, client, cursor, job)
    assert worker_of(own_service, job) == pid
    assert content_of(database) == changed
    kill(pid)
    assert "error" not in client.wait_for(job, cursor)[-1]["data"]["info"]
    assert content_of(database) == saved


def test_a_frozen_worker_is_ended_before_its_job_is_given_to_another_one(
    own_service: Service,
) -> None:
    gid = add_large_project(own_service)
    client = own_service.client()
    cursor = client.cursor()
    job = client.create(gid)["job.token"]
    pid = stop_worker_in_the_middle(own_service, client, cursor, job)
    assert worker_of(own_service, job) == pid
    events = client.wait_for(job, cursor)
    assert [event["data"]["status"] for event in events].count("done") == 1
    assert "error" not in events[-1]["data"]["info"]
    assert not title_of(pid)
    assert len(client.versions(gid)) == 1


def test_a_restore_whose_worker_froze_with_the_database_locked_is_done_by_another_one(
    own_service: Service,
) -> None:
    gid, database = own_service.add_project(megabytes=150, name="Large")
    client = own_service.client()
    saved = content_of(database)
    version = client.backup(gid)
    execute(database, "UPDATE products SET description = description || ' changed'")
    cursor = client.cursor()
    job = client.restore(version, gid)["job.token"]
    pid = stop_worker_in_the_middle(own_service, client, cursor, job)
    assert worker_of(own_service, job) == pid
    assert "error" not in client.wait_for(job, cursor)[-1]["data"]["info"]
    assert content_of(database) == saved


def test_a_job_whose_worker_is_lost_three_times_ends_with_an_error(own_service: Service) -> None:
    gid = add_large_project(own_service)
    client = own_service.client()
    cursor = client.cursor()
    job = client.create(gid)["job.token"]
    for _ in range(3):
        pid = stop_worker_in_the_middle(own_service, client, cursor, job)
        cursor = client.cursor()
        assert worker_of(own_service, job) == pid
        kill(pid)
    last = client.wait_for(job, cursor)[-1]
    error = last["data"]["info"]["error"]
    assert (error["code"], error["message"]) == (1003, "Process error")
    assert error["info"]["process"] == "backup"
    assert "lost 3 times" in error["info"]["reason"]
    assert client.versions(gid) == []


def test_a_killed_cluster_is_started_again(own_service: Service) -> None:
    client = own_service.client()
    cluster = [pid for pid, title in whole_tree(own_service).items() if "qcluster" in title]
    assert len(cluster) >= 5, "its leader, sentinel, pusher, monitor and workers"
    leader = min(cluster)
    os.kill(leader, signal.SIGKILL)
    cursor = client.cursor()
    job = client.create()["job.token"]
    assert "error" not in client.wait_for(job, cursor)[-1]["data"]["info"]
    assert_gone(cluster)


def test_a_cluster_wedged_by_the_kill_of_an_idle_worker_is_noticed_and_started_again(
    tmp_path: Path,
) -> None:
    service = Service(tmp_path, WORKERS="1", CANARY_SECONDS="1", WEDGED_SECONDS="5")
    service.start(megabytes=2)
    try:
        client = service.client()
        client.backup()
        workers = [pid for pid, title in service.processes().items() if "idle" in title]
        assert len(workers) == 1
        os.kill(workers[0], signal.SIGKILL)
        cursor = client.cursor()
        job = client.create()["job.token"]
        assert "error" not in client.wait_for(job, cursor)[-1]["data"]["info"]
        assert "it is restarted" in "".join(service.output)
    finally:
        service.stop()


def test_term_ends_every_process_and_a_running_job_goes_on_at_the_next_start(
    own_service: Service,
) -> None:
    gid = add_large_project(own_service)
    client = own_service.client()
    cursor = client.cursor()
    job = client.create(gid)["job.token"]
    client.poll(
        cursor, lambda event: event["data_key"] == job and event["data"]["status"] == "processing"
    )
    processes = own_service.processes()
    assert own_service.stop(signal.SIGTERM) == 0
    assert_gone(processes)
    project, password = own_service.project, own_service.password
    own_service.start()
    assert (own_service.project, own_service.password) == (project, password)
    client = own_service.client()
    events = client.wait_for(job, cursor)
    statuses = [event["data"]["status"] for event in events]
    assert statuses.count("queued") == 2, "it was given back, not lost"
    assert "error" not in events[-1]["data"]["info"]
    assert len(client.versions(gid)) == 1


def test_ctrl_c_ends_every_process(own_service: Service) -> None:
    processes = whole_tree(own_service)
    assert own_service.stop(signal.SIGINT) == 0
    assert_gone(processes)


def test_a_killed_supervisor_leaves_no_process_behind(own_service: Service) -> None:
    processes = whole_tree(own_service)
    own_service.stop(signal.SIGKILL)
    assert_gone(processes)


def test_a_cluster_that_outlives_its_supervisor_and_its_leader_ends_itself(
    own_service: Service,
) -> None:
    tree = whole_tree(own_service)
    assert own_service.process is not None
    supervisor = own_service.process.pid
    leader = min(pid for pid, title in tree.items() if "qcluster" in title)
    # Stopped first, so that it can't do anything about the end of the other.
    os.kill(leader, signal.SIGSTOP)
    os.kill(supervisor, signal.SIGKILL)
    os.kill(leader, signal.SIGKILL)
    own_service.process.wait()
    assert_gone(tree)


def test_a_listener_gets_every_event_once_across_a_restart_of_the_server(
    own_service: Service,
) -> None:
    client = own_service.client()
    with client.listen() as listener:
        start = listener.connected["cc.cursor"]
        job = client.create()["job.token"]
        listener.follow(job)
        seen = list(listener.events)
    own_service.stop()
    own_service.start()
    client = own_service.client()
    second = client.create()["job.token"]
    with client.listen(cc_cursor=seen[-1]["cursor"]) as listener:
        listener.until(lambda event: has_ended(event, second))
        seen += listener.events
    assert seen == client.call("/sync/get", cc_cursor=start)["sync"]

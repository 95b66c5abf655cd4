"""Many calls at once."""

from concurrent.futures import ThreadPoolExecutor
from typing import Any

from tests.service import Client, Service, has_ended


def test_fifty_calls_at_once_give_fifty_versions_and_jobs_in_their_order(service: Service) -> None:
    gid, _ = service.add_project(name="Busy")
    base = service.client()

    def create(number: int) -> dict[str, Any]:
        client = Client(base.url, gid)
        client.token = base.token
        return client.create(gid, created_by=f"thread {number}")

    cursor = base.cursor()
    with ThreadPoolExecutor(50) as pool:
        results = list(pool.map(create, range(50)))
    assert sorted(result["version"] for result in results) == list(range(1, 51))
    jobs = [result["job.token"] for result in sorted(results, key=lambda result: result["version"])]
    assert len(set(jobs)) == 50
    found = base.poll(cursor, lambda event: has_ended(event, jobs[-1]))
    mine = [event for event in found if event["data_key"] in jobs]
    ended = [event["data_key"] for event in mine if event["data"]["status"] == "done"]
    assert ended == jobs
    running: set[str] = set()
    for event in mine:
        if event["data"]["status"] == "processing":
            running.add(event["data_key"])
        elif event["data"]["status"] == "done":
            running.discard(event["data_key"])
        assert len(running) <= 1
    assert [item["version"] for item in base.versions(gid)] == list(range(50, 0, -1))


def test_jobs_of_different_projects_run_side_by_side(service: Service) -> None:
    client = service.client()
    gids = [service.add_project(megabytes=60, name=f"Side {number}")[0] for number in range(2)]
    cursor = client.cursor()
    jobs = [client.create(gid)["job.token"] for gid in gids]
    seen: list[dict[str, Any]] = []
    for job in jobs:
        seen = max(seen, client.poll(cursor, lambda event, job=job: has_ended(event, job)), key=len)
    order = [
        (event["data_key"], event["data"]["status"])
        for event in seen
        if event["data_key"] in jobs and event["data"]["status"] != "queued"
    ]
    first_end = next(number for number, (_, status) in enumerate(order) if status == "done")
    assert {job for job, _ in order[:first_end]} == set(jobs)

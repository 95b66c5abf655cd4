"""From the POST to `done` seen on the websocket, through a whole running service."""

import sqlite3
import statistics
import time
from pathlib import Path

from tests.service import Service

MEGABYTES = 10
CALLS = 31


def measure(folder: Path) -> dict[str, float]:
    """Milliseconds, as medians of calls with the worker idle: of the unchanged database, and after
    a change of one row each."""
    service = Service(folder, THROTTLE_CREATE="100000/m", THROTTLE_CALLS="100000/m")
    service.start(megabytes=MEGABYTES)
    try:
        client = service.client()
        found = {}
        with client.listen() as listener:
            listener.follow(client.create()["job.token"])
            for name, changes in (("changed_ms", True), ("unchanged_ms", False)):
                took = []
                for number in range(CALLS):
                    if changes:
                        _change(service, number)
                    begun = time.perf_counter()
                    job = client.create()["job.token"]
                    last = listener.follow(job)[-1]
                    took.append(time.perf_counter() - begun)
                    if "error" in last["data"]["info"]:
                        raise SystemExit("a version failed")
                found[name] = round(1000 * statistics.median(took), 1)
        return found
    finally:
        service.end()


def _change(service: Service, number: int) -> None:
    connection = sqlite3.connect(service.database)
    with connection:
        connection.execute("UPDATE products SET updated_on = ? WHERE id = ?", (number, number + 1))
    connection.close()

"""A backup on a Savepoint elsewhere, from the call to the end of its job."""

import time
import uuid
from typing import Any

from backups.remote.server import Refused, Server
from jobs.waiting import Asked

POLL_SECONDS = 1.0


class RemoteBackup:
    """Asked for when it is made; then the source of the news of its job."""

    def __init__(
        self, server: Server, *, created_by: str, name: str | None, keep_damaged: bool = False
    ) -> None:
        self.server = server
        # Taken before the call, so that no event of the job can be missed.
        self.cursor = int(server.sign_in()["result"]["cc.cursor"])
        body: dict[str, Any] = {"created_by": created_by}
        body |= {} if name is None else {"name": name}
        body |= {"keep_damaged": True} if keep_damaged else {}
        # One key however often it is tried: a call whose answer was lost makes no second version.
        key = {"Idempotency-Key": str(uuid.uuid4())}
        self.result: dict[str, Any] = server.call(f"{server.base}/backups/create", body, **key)[
            "result"
        ]

    @property
    def asked(self) -> Asked:
        version = f"version {self.result['version']}"
        return Asked(self.result, f"{version} is asked for", f"{version} is complete")

    def news(self, seconds: float) -> list[dict[str, Any]]:
        """The job as each event since the last call tells it."""
        deadline = time.monotonic() + seconds
        while True:
            try:
                # With the project, so that losing it is told: an empty answer would be waited on.
                body = {"cc_cursor": self.cursor, "project": self.server.project}
                result = self.server.call("/sync/get", body)["result"]
            except Refused as error:
                if error.info.get("reset") is not True:
                    raise
                return self._start_anew()
            if events := result["sync"]:
                self.cursor = events[-1]["cursor"]
            token = self.result["job.token"]
            found = [event["data"] for event in events if event["data_key"] == token]
            if found:
                return found
            left = deadline - time.monotonic()
            if left <= 0:
                return []
            if "warning" not in result:
                time.sleep(min(POLL_SECONDS, left))

    def _start_anew(self) -> list[dict[str, Any]]:
        """Go on from where the log stands now; the job itself tells what was missed."""
        server = self.server
        self.cursor = int(server.call(f"{server.base}/init", {})["result"]["cc.cursor"])
        answer = server.call(f"{server.base}/jobs/get", {"job": self.result["job.token"]})
        return list(answer["result"]["jobs"])

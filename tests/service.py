"""A running Savepoint as its users have it: real processes, reached over HTTP and websockets."""

import json
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TypeVar

import httpx
from websockets.sync.client import ClientConnection
from websockets.sync.client import connect as open_websocket

from config.keys import make_missing

ROOT = Path(__file__).parent.parent
DEADLINE_SECONDS = 60.0

T = TypeVar("T")


def eventually(probe: Callable[[], T], what: str, seconds: float = DEADLINE_SECONDS) -> T:
    """The first true value of the probe; fails when none comes in time."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        if value := probe():
            return value
        threading.Event().wait(0.05)
    raise AssertionError(f"not within {seconds} seconds: {what}")


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def all_processes() -> list[int]:
    return [int(entry.name) for entry in Path("/proc").iterdir() if entry.name.isdigit()]


def parent_of(pid: int) -> int | None:
    try:
        return int(Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[1])
    except OSError:
        return None


def title_of(pid: int) -> str:
    """The command line of a process; empty when it has ended."""
    try:
        return Path(f"/proc/{pid}/cmdline").read_bytes().replace(b"\0", b" ").decode()
    except OSError:
        return ""


class Service:
    """Savepoint with its demo, started as `make run` starts it."""

    def __init__(self, folder: Path, **environment: str) -> None:
        self.folder = folder
        self.port = free_port()
        self.environment = os.environ | {
            "DATA_DIR": str(folder),
            "WORKERS": "3",
            "WORKER_NICE": "10",
            # Short leases, so that a dead worker is noticed within the patience of a test.
            "JOB_LEASE_SECONDS": "4",
            "JOB_HEARTBEAT_SECONDS": "0.5",
            "REAPER_SECONDS": "0.5",
            "PYTHONWARNINGS": "default",
            **environment,
        }
        self.process: subprocess.Popen[str] | None = None
        self.output: list[str] = []

    def start(self, megabytes: int = 24) -> None:
        make_missing(self.folder / "keys")
        self.output = []
        self.process = subprocess.Popen(
            [
                *(sys.executable, "manage.py", "serve", "--demo"),
                *("--port", str(self.port), "--demo-megabytes", str(megabytes)),
            ],
            cwd=ROOT,
            env=self.environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            start_new_session=True,
        )
        threading.Thread(target=self._drain, args=(self.process, self.output), daemon=True).start()
        eventually(self._is_up, "the service says that it is up\n" + "".join(self.output))
        known = json.loads((self.folder / "demo.json").read_text())
        self.url: str = known["url"]
        self.username: str = known["username"]
        self.password: str = known["password"]
        self.project: str = known["project"]
        self.api_key: str = known["api_key"]
        self.database = Path(known["database"])

    def _drain(self, process: subprocess.Popen[str], output: list[str]) -> None:
        assert process.stdout is not None
        with process.stdout:
            for line in process.stdout:
                output.append(line)

    def _is_up(self) -> bool:
        assert self.process is not None
        assert self.process.poll() is None, "".join(self.output)
        return any("Ctrl-C ends it" in line for line in self.output)

    def stop(self, number: int = signal.SIGTERM) -> int:
        """End it as a user or a service manager does; returns its exit code."""
        assert self.process is not None
        self.process.send_signal(number)
        return self.process.wait(timeout=40)

    def end(self) -> None:
        """Stop it, unless the test has ended it already."""
        if self.process is not None and self.process.poll() is None:
            self.stop()

    def processes(self) -> dict[int, str]:
        """The process ids and titles of the service: its supervisor and all descendants."""
        assert self.process is not None
        parents = {pid: parent_of(pid) for pid in all_processes()}
        tree = {self.process.pid}
        while grown := {pid for pid, parent in parents.items() if parent in tree} - tree:
            tree |= grown
        return {pid: title_of(pid) for pid in tree if title_of(pid)}

    def manage(self, *arguments: str) -> str:
        """Run a command of manage.py beside the service; returns what it prints."""
        done = subprocess.run(
            [sys.executable, "manage.py", *arguments],
            cwd=ROOT,
            env=self.environment,
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    def shell(self, code: str) -> str:
        """Run Python in the service's environment; returns what it prints."""
        return self.manage("shell", "--no-imports", "-c", code).strip()

    def client(self) -> "Client":
        """A client signed in with the demo's API key."""
        client = Client(self.url, self.project)
        client.call(f"/api/p/{self.project}/auth", api_key=self.api_key)
        return client

    def add_project(self, megabytes: int = 1, name: str = "Another") -> tuple[str, Path]:
        """Another project of the demo's administrator and API user, with a small catalogue."""
        gid, path = self.shell(
            "from pathlib import Path\n"
            "from projects.models import ApiKey, User\n"
            "from projects.services import create_project, set_member\n"
            "from projects.databases import managed_path\n"
            "from backups.demo.catalogue import write_catalogue\n"
            f"p = create_project(name={name!r}, owner=User.objects.get(username='admin'))\n"
            "set_member(project=p, user=ApiKey.objects.earliest('id').user, role='member')\n"
            f"write_catalogue(managed_path(p), {megabytes})\n"
            "print(p.gid, managed_path(p))"
        ).split()
        return gid, Path(path)


class Client:
    """A client of the wire contract: keeps the renewed token, checks each envelope."""

    def __init__(self, url: str, project: str) -> None:
        self.url, self.project = url, project
        self.http = httpx.Client(base_url=url, timeout=30)
        self.token: str | None = None

    def post(self, path: str, body: Any, **headers: str) -> httpx.Response:
        if self.token is not None:
            headers.setdefault("Authorization", f"Bearer {self.token}")
        response = self.http.post(path, json=body, headers=headers)
        assert set(response.json()) == {"success", "result", "data"}
        if renewed := response.headers.get("Authorization"):
            self.token = renewed
        return response

    def call(self, path: str, **body: Any) -> dict[str, Any]:
        """The result of a call that must succeed."""
        response = self.post(path, body)
        assert response.json()["success"], response.text
        result: dict[str, Any] = response.json()["result"]
        return result

    def create(self, project: str | None = None, **body: Any) -> dict[str, Any]:
        body = {"created_by": "tests"} | body
        return self.call(f"/api/p/{project or self.project}/backups/create", **body)

    def restore(self, version: int, project: str | None = None, **body: Any) -> dict[str, Any]:
        path = f"/api/p/{project or self.project}/backups/restore"
        return self.call(path, version=version, **body)

    def versions(self, project: str | None = None) -> list[dict[str, Any]]:
        """The project's versions as every member sees them."""
        gid = project or self.project
        response = self.post(f"/api/p/{gid}/init", {})
        versions: list[dict[str, Any]] = response.json()["data"]["cc.projects"][gid]["backups"][
            "versions"
        ]
        return versions

    def cursor(self) -> int:
        return int(self.call("/sync/cursors")["cc.cursor"])

    def poll(self, cursor: int, until: Callable[[dict[str, Any]], bool]) -> list[dict[str, Any]]:
        """The events after the cursor, up to the first that the caller waits for."""
        seen: list[dict[str, Any]] = []

        def look() -> bool:
            last = seen[-1]["cursor"] if seen else cursor
            seen.extend(self.call("/sync/get", cc_cursor=last)["sync"])
            return any(until(event) for event in seen)

        eventually(look, "the event that is polled for")
        end = next(number for number, event in enumerate(seen) if until(event))
        return seen[: end + 1]

    def wait_for(self, job: str, cursor: int) -> list[dict[str, Any]]:
        """Poll until the job has ended; returns its events."""
        found = self.poll(cursor, lambda event: has_ended(event, job))
        return [event for event in found if event["data_key"] == job]

    def backup(self, project: str | None = None, **body: Any) -> int:
        """Make a version and wait until it is there."""
        cursor = self.cursor()
        result = self.create(project, **body)
        last = self.wait_for(result["job.token"], cursor)[-1]
        assert "error" not in last["data"]["info"], last
        return int(result["version"])

    @contextmanager
    def listen(self, **connect: Any) -> Iterator["Listener"]:
        """A websocket, connected."""
        with open_websocket(f"{self.url.replace('http', 'ws', 1)}/sync/ws") as websocket:
            listener = Listener(websocket)
            listener.send({"type": "connect", "JWT": self.token, **connect})
            listener.connected = listener.frame("connect")
            yield listener


def has_ended(event: dict[str, Any], job: str) -> bool:
    return event["data_key"] == job and event["data"]["status"] in ("done", "rejected")


class Listener:
    """One websocket of the event log."""

    connected: dict[str, Any]

    def __init__(self, websocket: ClientConnection) -> None:
        self.websocket = websocket
        self.events: list[dict[str, Any]] = []

    def send(self, frame: Any) -> None:
        self.websocket.send(frame if isinstance(frame, str) else json.dumps(frame))

    def frame(self, kind: str, seconds: float = DEADLINE_SECONDS) -> dict[str, Any]:
        """The next frame of this kind; events on the way are kept."""
        while True:
            frame: dict[str, Any] = json.loads(self.websocket.recv(timeout=seconds))
            if frame["type"] == "sync":
                self.events += frame["sync"]
            if frame["type"] == kind:
                return frame

    def until(self, wanted: Callable[[dict[str, Any]], bool]) -> list[dict[str, Any]]:
        """All events so far, up to the first that is wanted."""
        while True:
            for number, event in enumerate(self.events):
                if wanted(event):
                    return self.events[: number + 1]
            self.frame("sync")

    def follow(self, job: str) -> list[dict[str, Any]]:
        """The job's events, from its first to its last."""
        found = self.until(lambda event: has_ended(event, job))
        return [event for event in found if event["data_key"] == job]

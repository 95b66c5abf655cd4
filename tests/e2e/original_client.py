"""A client of the kind that users of the original service have, with its habits and its limits.

It knows the kinds of things that it was written for and no others, takes cursors out of whatever
answer brings them, and follows a job by polling until that is `done`.
"""

import threading
import time
from collections.abc import Callable, Iterator
from typing import Any

import httpx

KINDS = (
    "cc.users",
    "cc.projects",
    "cc.projects_members",
    "cc.languages",
    "definitions",
    "classes",
    "fields",
    "layouts",
    "queries",
)
TRIED_AGAIN = (500, 502, 503, 504)
RETRIES = 7


class SignedOut(Exception):
    """The service does not know this client (any more)."""


class CallFailed(Exception):
    """The service answered that a call did not succeed."""


class JobFailed(Exception):
    """A job is done, and its info tells of an error."""


class Store:
    """What the service sent, by kind and key."""

    def __init__(self) -> None:
        self.kinds: dict[str, dict[str, Any]] = {kind: {} for kind in KINDS}

    def __getitem__(self, kind: str) -> dict[str, Any]:
        return self.kinds[kind]

    def keep(self, data: dict[str, Any]) -> None:
        """Add what an answer's `data` brings; raises KeyError for a kind that is not known."""
        for kind, entities in data.items():
            known = self.kinds[kind]
            if kind == "cc.projects_members":
                known.update({f"{one['project_gid']}/{one['user_gid']}": one for one in entities})
            else:
                known.update(entities)


class OriginalClient:
    """Signed in to one project by an API key."""

    def __init__(self, url: str, project_gid: str, *, pause: float = 1.0) -> None:
        self.http = httpx.Client(base_url=url, timeout=30)
        self.project_gid = project_gid
        self.pause = pause
        self.token = ""
        self.store = Store()
        self.version = ""
        self.cc_cursor = 0
        self.cursor = 0
        self.user_gid = ""

    def auth(self, api_key: str) -> None:
        """Sign in."""
        body = {"api_key": api_key, "omit_extended_definitions": True}
        self.user_gid = self.call("auth", **body)["user"]

    def init(self) -> None:
        """Fetch everything anew."""
        self.user_gid = self.call("init")["user"]

    @property
    def project(self) -> "OriginalProject":
        return OriginalProject(self)

    # --- Calls --------------------------------------------------------------------------------

    def call(self, path: str, **body: Any) -> dict[str, Any]:
        """The result of a call; a path without a leading slash is one of the project's."""
        if not path.startswith("/"):
            path = f"/api/p/{self.project_gid}/{path}"
        response = self._post(path, body)
        if "WWW-Authenticate" in response.headers:
            self.token = ""
            raise SignedOut
        self.token = response.headers.get("Authorization", self.token)
        answer = response.json()
        if not answer["success"]:
            raise CallFailed(answer["result"])
        self.store.keep(answer["data"])
        result: dict[str, Any] = answer["result"]
        self.version = result.pop("cc.version", self.version)
        self.cc_cursor = result.pop("cc.cursor", self.cc_cursor)
        self.cursor = result.pop("cursor", self.cursor)
        return result

    def _post(self, path: str, body: dict[str, Any]) -> httpx.Response:
        headers = {"Authorization": f"Bearer {self.token}"} if self.token else {}
        for _ in range(RETRIES):
            response = self.http.post(path, json=body, headers=headers)
            if response.status_code not in TRIED_AGAIN:
                return response
            self._rest()
        return self.http.post(path, json=body, headers=headers)

    def _rest(self) -> None:
        threading.Event().wait(self.pause)

    # --- Jobs ---------------------------------------------------------------------------------

    def follow(
        self, ask: Callable[[], dict[str, Any]], patience: float = 60
    ) -> Iterator[tuple[str, str, dict[str, Any]]]:
        """Ask for a job and yield its (job, status, info) until it is done.

        Raises JobFailed at the end of one that failed, TimeoutError when no end comes.
        """
        self.call("/sync/cursors")
        reached = self.cc_cursor
        token = ask()["job.token"]
        deadline = time.monotonic() + patience
        while time.monotonic() < deadline:
            self._rest()
            for item in self.call("/sync/get", cc_cursor=reached)["sync"]:
                reached = item["cursor"]
                if item["data_type"] != "jobs":
                    self._take(item)
                elif item["data_key"] == token:
                    job, status, info = (item["data"][key] for key in ("job", "status", "info"))
                    yield job, status, info
                    if status == "done":
                        if job == "restore_project":
                            self.init()
                        if "error" in info:
                            raise JobFailed(info["error"])
                        return
        raise TimeoutError(token)

    def _take(self, item: dict[str, Any]) -> None:
        """Bring the store up to date with what happened to something other than a job."""
        if item["cursor"] <= self.cc_cursor:
            return
        self.cc_cursor = item["cursor"]
        kind, key = item["data_type"], item["data_key"]
        wanted = {
            "UPDATE": key in self.store[kind],
            "INSERT": key.startswith(f"{self.project_gid}/"),
        }
        if item["action"] == "DELETE":
            self.store[kind].pop(key, None)
        elif wanted[item["action"]]:
            self._fetch(kind, key)

    def _fetch(self, kind: str, key: str) -> None:
        if kind == "cc.projects":
            self.call("/api/projects/get", project=key)
        elif kind == "cc.users":
            self.call("/api/users/get", user=key)
        elif kind == "cc.projects_members":
            project, _, member = key.partition("/")
            self.call("/api/members/get", project=project, member=member)


class OriginalProject:
    """What the client reads of its project, and does with its backups."""

    def __init__(self, client: OriginalClient) -> None:
        self._client = client

    @property
    def _entity(self) -> dict[str, Any]:
        entity: dict[str, Any] = self._client.store["cc.projects"][self._client.project_gid]
        return entity

    def _shown(self, ordered: str, named: str) -> list[str]:
        options = self._entity["options"]
        return [options[named][key] for key in options[ordered]]

    @property
    def name(self) -> str:
        return str(self._entity["name"])

    @property
    def languages(self) -> list[str]:
        known = self._client.store["cc.languages"]
        return [known[code]["name"] for code in self._entity["options"]["languages"]]

    @property
    def channels(self) -> list[str]:
        return self._shown("orderedchannels", "channels")

    @property
    def orderings(self) -> list[str]:
        return self._shown("orderedorderings", "orderings")

    @property
    def fieldlists(self) -> list[str]:
        return self._shown("orderedfieldlists", "fieldlists")

    @property
    def members(self) -> dict[str, list[str]]:
        """The roles of each member by username."""
        users = self._client.store["cc.users"]
        return {
            users[one["user_gid"]]["username"]: one["roles"]
            for one in self._client.store["cc.projects_members"].values()
            if one["project_gid"] == self._client.project_gid and one["status"] == "active"
        }

    @property
    def versions(self) -> list[dict[str, Any]]:
        versions: list[dict[str, Any]] = self._entity["backups"]["versions"]
        return versions

    def get_backup(self, version: int) -> dict[str, Any]:
        """A version as the project lists it; raises KeyError."""
        return {backup["version"]: backup for backup in self.versions}[version]

    def create_backup(self, **body: Any) -> dict[str, Any]:
        return self._client.call("backups/create", **body)

    def restore_backup(self, version: int) -> dict[str, Any]:
        return self._client.call("backups/restore", version=version)

    def rename_backup(self, version: int, name: str) -> None:
        self._client.call("backups/update", version=version, name=name)

    def delete_backups(self, **body: Any) -> None:
        self._client.call("backups/delete", **body)

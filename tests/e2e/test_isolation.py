"""Every endpoint, asked by those who should get nothing, or less than a member."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import httpx
import pytest

from tests.config.test_routes import API
from tests.e2e.test_contract import error_of
from tests.e2e.test_people import PASSWORD, gid_of, make_people, new_project, signed_in
from tests.service import Client, Service


@dataclass
class Target:
    """A project that an actor asks for, with what there is in it."""

    gid: str
    version: int
    job: str
    member: str
    prefix: str


@dataclass
class Actor:
    """Somebody with a name, a session and an API key that is, or was, good for something."""

    client: Client
    username: str
    api_key: str
    target: Target


Body = Callable[[Actor], dict[str, Any]]


@dataclass
class Row:
    """What each actor is answered: `outsider` stands for all who are not, or no longer, members."""

    body: Body
    outsider: int = 403
    viewer: int = 403
    deleted: int | None = None
    revoked: int = 401
    method: str = "POST"

    def status(self, actor: str) -> int:
        if actor in ("viewer", "revoked"):
            return int(getattr(self, actor))
        return self.deleted if actor == "deleted" and self.deleted else self.outsider


def sign_in(actor: Actor) -> dict[str, Any]:
    return {"username": actor.username, "password": PASSWORD}


def project(actor: Actor) -> dict[str, Any]:
    return {"project": actor.target.gid}


def nothing(actor: Actor) -> dict[str, Any]:
    return {}


PUBLIC = Row(nothing, outsider=200, viewer=200, revoked=200, method="GET")

TABLE = {
    "api/ping": PUBLIC,
    "api/schema": PUBLIC,
    "api/docs/": PUBLIC,
    "api/login": Row(sign_in, outsider=200, viewer=200),
    "api/token/": Row(sign_in, outsider=200, viewer=200),
    "api/token/refresh/": Row(lambda a: {"refresh": a.client.token}, outsider=401, viewer=401),
    "api/init": Row(nothing, outsider=200, viewer=200),
    "api/projects/create": Row(nothing, outsider=200, viewer=200),
    "api/projects/get": Row(project, viewer=200),
    "api/projects/update": Row(lambda a: project(a) | {"name": "taken over"}),
    "api/projects/delete": Row(project),
    "api/projects/undelete": Row(project, deleted=200),
    "api/projects/permanent_delete": Row(
        lambda a: project(a) | {"confirm": "not the gid"}, deleted=400
    ),
    "api/users/get": Row(lambda a: {"user": a.target.member}, outsider=422, viewer=200),
    "api/members/get": Row(lambda a: project(a) | {"member": a.target.member}, viewer=200),
    "sync/cursors": Row(project, viewer=200),
    "sync/get": Row(lambda a: project(a) | {"cc_cursor": 0}, viewer=200),
    "api/p/<str:gid>/login": Row(sign_in, viewer=200),
    "api/p/<str:gid>/auth": Row(lambda a: {"api_key": a.api_key}, outsider=401, viewer=401),
    "api/p/<str:gid>/init": Row(nothing, viewer=200),
    "api/p/<str:gid>/members/set": Row(lambda a: {"user": a.username, "role": "member"}),
    "api/p/<str:gid>/members/remove": Row(lambda a: {"user": a.target.member}),
    "api/p/<str:gid>/api_keys/create": Row(lambda a: {"name": "mine", "role": "member"}),
    "api/p/<str:gid>/api_keys/list": Row(nothing),
    "api/p/<str:gid>/api_keys/revoke": Row(lambda a: {"prefix": a.target.prefix}),
    "api/p/<str:gid>/jobs/get": Row(nothing, viewer=200),
    "api/p/<str:gid>/jobs/cancel": Row(lambda a: {"job": a.target.job}),
    "api/p/<str:gid>/backups/get": Row(nothing, viewer=200),
    "api/p/<str:gid>/backups/create": Row(lambda a: {"created_by": "an intruder"}),
    "api/p/<str:gid>/backups/restore": Row(lambda a: {"version": a.target.version}),
    "api/p/<str:gid>/backups/update": Row(
        lambda a: {"version": a.target.version, "name": "an intruder's"}
    ),
    "api/p/<str:gid>/backups/verify": Row(lambda a: {"version": a.target.version}),
    "api/p/<str:gid>/backups/clone": Row(lambda a: {"version": a.target.version}),
    "api/p/<str:gid>/backups/<int:version>/download": Row(nothing, method="GET"),
    "api/p/<str:gid>/backups/import": Row(nothing),
    "api/p/<str:gid>/backups/delete": Row(lambda a: {"version": a.target.version}),
}


PEOPLE = ("stranger", "former", "viewer", "other", "deleted")


class World:
    """A guarded project, and those around it."""

    def __init__(self, service: Service) -> None:
        names = {name: f"isolated-{name}" for name in PEOPLE}
        make_people(service, "guards", *names.values())
        self.owner = signed_in(service, "guards")
        people = {name: signed_in(service, username) for name, username in names.items()}
        self.gid = new_project(self.owner, name="Guarded")
        target, _ = self._filled(self.owner, self.gid)
        for name in ("former", "viewer"):
            self.owner.call(f"/api/p/{self.gid}/members/set", user=names[name], role="viewer")
        self.owner.call(f"/api/p/{self.gid}/members/remove", user=names["former"])

        other = new_project(people["other"], name="Another's")
        _, key_elsewhere = self._filled(people["other"], other)
        self.actors = {
            name: Actor(people[name], names[name], key_elsewhere, target) for name in PEOPLE
        }
        self.actors["revoked"] = self._revoked(target)
        deleted = self.actors["deleted"]
        self.deleted_gid = new_project(deleted.client, name="Deleted")
        deleted.target, deleted.api_key = self._filled(deleted.client, self.deleted_gid)
        self.delete()

    def _filled(self, owner: Client, gid: str) -> tuple[Target, str]:
        """What is in a project with a version, made by a key's user; and that key."""
        member, made = self._key(owner, gid)
        version = member.backup(gid)
        job = member.call(f"/api/p/{gid}/jobs/get")["jobs"][0]["token"]
        return Target(gid, version, job, gid_of(member), made["prefix"]), made["api_key"]

    def _key(self, owner: Client, gid: str) -> tuple[Client, dict[str, Any]]:
        made = owner.call(f"/api/p/{gid}/api_keys/create", name="key", role="member")
        client = Client(owner.url, gid)
        client.call(f"/api/p/{gid}/auth", api_key=made["api_key"])
        return client, made

    def _revoked(self, target: Target) -> Actor:
        client, made = self._key(self.owner, self.gid)
        body = client.post("/api/init", {}).json()
        username = body["data"]["cc.users"][body["result"]["user"]]["username"]
        self.owner.call(f"/api/p/{self.gid}/api_keys/revoke", prefix=made["prefix"])
        return Actor(client, username, made["api_key"], target)

    def delete(self) -> None:
        """Put the deleted project back to where it was."""
        self.actors["deleted"].client.call("/api/projects/delete", project=self.deleted_gid)

    def state(self) -> Any:
        """All that an intruder could have changed in the guarded project."""
        body = self.owner.post(f"/api/p/{self.gid}/init", {}).json()
        members = {item["user_gid"]: item for item in body["data"]["cc.projects_members"]}
        project = body["data"]["cc.projects"][self.gid]
        return (
            project,
            members,
            self.owner.call(f"/api/p/{self.gid}/api_keys/list"),
            self.owner.call(f"/api/p/{self.gid}/jobs/get"),
        )


@pytest.fixture(scope="module")
def world(service: Service) -> World:
    return World(service)


def ask(actor: Actor, route: str, row: Row) -> httpx.Response:
    path = "/" + route.replace("<str:gid>", actor.target.gid)
    path = path.replace("<int:version>", str(actor.target.version))
    body = row.body(actor)
    # Not by post(): it would keep the token that a sign-in brings.
    headers = {"Authorization": f"Bearer {actor.client.token}"}
    return actor.client.http.request(
        row.method, path, headers=headers, **({"json": body} if row.method == "POST" else {})
    )


def test_the_table_has_every_endpoint_and_no_other() -> None:
    assert sorted(TABLE) == API


@pytest.mark.parametrize("route", sorted(TABLE))
def test_nobody_gets_more_than_he_may(world: World, route: str) -> None:
    row = TABLE[route]
    before = world.state()
    for name, actor in world.actors.items():
        answer = ask(actor, route, row)
        expected = row.status(name)
        assert answer.status_code == expected, (name, answer.text)
        if expected >= 400:
            _, _, _, info = error_of(answer)
            if expected in (401, 403):
                assert info == {}
        elif name not in ("viewer", "deleted"):
            assert world.gid not in answer.text, name
            assert "Guarded" not in answer.text, name
    if row.deleted == 200:
        world.delete()
    assert world.state() == before


def test_nobody_else_hears_of_what_happens_in_a_project(world: World) -> None:
    outsiders = ("stranger", "former", "other", "deleted")
    clients = [world.actors[name].client for name in outsiders]
    own = [new_project(client) for client in clients]
    cursor = world.owner.cursor()

    job = world.owner.create(world.gid)["job.token"]
    world.owner.wait_for(job, cursor)
    world.owner.call("/api/projects/update", project=world.gid, name="Guarded")
    made = world.owner.call(f"/api/p/{world.gid}/api_keys/create", name="x", role="viewer")
    world.owner.call(f"/api/p/{world.gid}/api_keys/revoke", prefix=made["prefix"])
    seen = world.owner.call("/sync/get", cc_cursor=cursor)["sync"]
    assert {event["data_type"] for event in seen} == {
        "jobs",
        "cc.projects",
        "cc.projects_members",
    }
    for client, gid in zip(clients, own, strict=True):
        assert client.call("/sync/get", cc_cursor=cursor)["sync"] == []
        with client.listen(cc_cursor=cursor) as listener:
            # An event of one's own: all before it would have arrived.
            client.call("/api/projects/update", project=gid, name="mine")
            heard = listener.until(lambda event, gid=gid: event["data_key"] == gid)
            assert len(heard) == 1
    assert not {event["cursor"] for event in seen} & {
        event["cursor"]
        for client in clients
        for event in client.call("/sync/get", cc_cursor=cursor)["sync"]
    }


def test_a_listener_hears_nothing_of_others_while_it_happens(world: World) -> None:
    stranger = world.actors["stranger"].client
    gid = new_project(stranger)
    with stranger.listen() as listener:
        cursor = world.owner.cursor()
        world.owner.wait_for(world.owner.create(world.gid)["job.token"], cursor)
        job = stranger.create(gid)["job.token"]
        listener.follow(job)
        assert {event["data_key"] for event in listener.events} <= {gid, job}

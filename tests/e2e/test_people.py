"""Projects and who belongs to them: made, changed, shared, deleted, brought back."""

import time
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.content import content_of, execute
from tests.e2e.test_contract import error_of
from tests.e2e.test_sign_in import assert_signed_out
from tests.e2e.test_versions import held, is_processing, restored
from tests.service import Client, Service, eventually

PASSWORD = "a long enough password"
UNKNOWN = "00000000-0000-4000-8000-000000000000"
FORBIDDEN = (403, 403, "Forbidden", {})


def make_people(service: Service, *names: str) -> None:
    """New people of these names, who can sign in."""
    service.shell(
        "from projects.services import create_user\n"
        f"for name in {names!r}:\n    create_user(username=name, password={PASSWORD!r})"
    )


def person(service: Service, name: str) -> Client:
    """A new person of this name, signed in."""
    make_people(service, name)
    return signed_in(service, name)


def signed_in(service: Service, name: str) -> Client:
    client = Client(service.url, "")
    client.call("/api/login", username=name, password=PASSWORD)
    return client


def gid_of(client: Client) -> str:
    return str(client.call("/api/init")["user"])


def new_project(owner: Client, **body: Any) -> str:
    return str(owner.call("/api/projects/create", **body)["project"])


def database_of(service: Service, gid: str) -> Path:
    """The managed database of a project."""
    return service.folder / "databases" / f"{gid}.sqlite3"


def key_client(owner: Client, gid: str, **body: Any) -> Client:
    """A client signed in with a new API key to the project."""
    text = owner.call(f"/api/p/{gid}/api_keys/create", **{"name": "key", "role": "member"} | body)
    client = Client(owner.url, gid)
    client.call(f"/api/p/{gid}/auth", api_key=text["api_key"])
    return client


def project_of(client: Client, gid: str) -> dict[str, Any]:
    response = client.post("/api/projects/get", {"project": gid})
    assert response.status_code == 200, response.text
    entity: dict[str, Any] = response.json()["data"]["cc.projects"][gid]
    return entity


@pytest.fixture(scope="module")
def owner(service: Service) -> Client:
    return person(service, "owns-projects")


@pytest.fixture(scope="module")
def colleague(service: Service) -> Client:
    return person(service, "colleague")


# --- Making and changing a project ----------------------------------------------------------------


def test_a_project_made_without_a_word_has_the_default_name_and_usable_options(
    owner: Client,
) -> None:
    cursor = owner.cursor()
    response = owner.post("/api/projects/create", {})
    body = response.json()
    me = gid_of(owner)
    gid = body["result"]["project"]
    assert body["result"] == {"project": gid, "project_members": [me]}
    assert set(body["data"]) == {"cc.projects", "cc.projects_members"}
    project = body["data"]["cc.projects"][gid]
    assert project["name"] == "untitled project"
    assert project["owner"] == me
    assert project["status"] == "active"
    assert project["options"]["timezone"] == "UTC"
    assert project["backups"] == {"versions": [], "next_version": 1}
    (membership,) = body["data"]["cc.projects_members"]
    assert membership["roles"] == ["owner", "member", "viewer"]
    assert (membership["project_gid"], membership["user_gid"]) == (gid, me)
    assert project_of(owner, gid) == project
    events = owner.call("/sync/get", cc_cursor=cursor)["sync"]
    assert [(event["action"], event["data_type"], event["data_key"]) for event in events] == [
        ("INSERT", "cc.projects", gid),
        ("INSERT", "cc.projects_members", f"{gid}/{me}"),
    ]


def test_a_project_keeps_the_name_and_timezone_it_is_made_with(owner: Client) -> None:
    gid = new_project(owner, name="Café № 7 目录", timezone="Europe/Amsterdam")
    project = project_of(owner, gid)
    assert (project["name"], project["options"]["timezone"]) == (
        "Café № 7 目录",
        "Europe/Amsterdam",
    )


@pytest.mark.parametrize("timezone", ["Mars/Olympus", "", "utc ", "../UTC", 7, None, ["UTC"]])
def test_a_timezone_that_does_not_exist_is_400_and_makes_no_project(
    owner: Client, timezone: Any
) -> None:
    before = owner.call("/api/init")["user_projects"]
    response = owner.post("/api/projects/create", {"timezone": timezone})
    assert error_of(response)[:3] == (400, 400, "Bad request")
    assert set(error_of(response)[3]) == {"timezone"}
    assert owner.call("/api/init")["user_projects"] == before


@pytest.mark.parametrize("name", ["", "  ", "\u200b", "x" * 201, "a\nb", "a\u202eb", "a\x00b"])
def test_a_project_name_that_hides_is_1001(owner: Client, name: str) -> None:
    response = owner.post("/api/projects/create", {"name": name})
    assert error_of(response)[:3] == (422, 1001, "Validation error")
    assert set(error_of(response)[3]) == {"name"}


def test_the_managed_database_exists_at_once_and_can_be_backed_up_and_restored(
    service: Service, owner: Client
) -> None:
    gid = new_project(owner)
    database = database_of(service, gid)
    assert database.is_file()
    version = owner.backup(gid)
    execute(database, "CREATE TABLE items (name TEXT)")
    restored(owner, gid, version)
    assert execute(database, "SELECT count(*) FROM sqlite_schema") == "(0,)"


def test_an_api_user_makes_no_project(owner: Client) -> None:
    client = key_client(owner, new_project(owner))
    assert error_of(client.post("/api/projects/create", {})) == FORBIDDEN


def test_several_projects_are_got_at_once_and_one_that_is_not_ones_own_refuses_all(
    service: Service, owner: Client
) -> None:
    gids = [new_project(owner, name=f"Several {number}") for number in range(3)]
    body = owner.post("/api/projects/get", {"projects": gids}).json()
    assert body["result"] == {"projects": gids}
    assert list(body["data"]) == ["cc.projects"]
    assert [body["data"]["cc.projects"][gid]["name"] for gid in gids] == [
        f"Several {number}" for number in range(3)
    ]
    for other in (service.project, UNKNOWN, "nonsense"):
        response = owner.post("/api/projects/get", {"projects": [*gids, other]})
        assert error_of(response) == FORBIDDEN
    assert error_of(owner.post("/api/projects/get", {}))[:2] == (400, 400)


def test_a_projects_name_and_options_are_changed_and_options_merged(owner: Client) -> None:
    gid = new_project(owner, name="Before", timezone="Asia/Tokyo")
    options = project_of(owner, gid)["options"]
    changes = {
        "languages": ["nl", "de"],
        "channels": {"web": "Web", "print": "Print"},
        "orderedchannels": ["print", "web"],
    }
    cursor = owner.cursor()
    body = owner.post(
        "/api/projects/update", {"project": gid, "name": "After", "options": changes}
    ).json()
    assert body["result"] == {"project": gid}
    project = body["data"]["cc.projects"][gid]
    assert project["name"] == "After"
    assert project["options"] == options | changes
    assert project_of(owner, gid) == project
    (event,) = owner.call("/sync/get", cc_cursor=cursor)["sync"]
    assert (event["action"], event["data_type"], event["data_key"]) == (
        "UPDATE",
        "cc.projects",
        gid,
    )
    languages = owner.post(f"/api/p/{gid}/init", {}).json()["data"]["cc.languages"]
    assert set(languages) == {"nl", "de"}


@pytest.mark.parametrize(
    "options",
    [
        {"languages": []},
        {"languages": "en"},
        {"languages": ["en", "en"]},
        {"languages": [7]},
        {"languages": [[]]},
        {"timezone": "Mars/Olympus"},
        {"timezone": None},
        {"timezone": ["UTC"]},
        {"timezone": {"name": "UTC"}},
        {"channels": {}},
        {"channels": {"web": "Web"}},
        {"channels": ["default"]},
        {"channels": {"default": 7}},
        {"orderedchannels": []},
        {"orderedchannels": ["default", "default"]},
        {"orderedchannels": ["other"]},
        {"orderedchannels": [["default"]]},
        {"orderedchannels": None},
        {"orderings": {}, "orderedorderings": []},
        {"fieldlists": {"a": "A"}, "orderedfieldlists": ["a", "b"]},
        {"unheard_of": 1},
        {"languages": ["x" * 70_000]},
        [],
        None,
        "text",
    ],
)
def test_options_that_clients_could_not_use_are_400_and_change_nothing(
    owner: Client, options: Any
) -> None:
    gid = new_project(owner)
    before = project_of(owner, gid)
    response = owner.post("/api/projects/update", {"project": gid, "options": options})
    assert error_of(response)[:3] == (400, 400, "Bad request")
    assert set(error_of(response)[3]) == {"options"}
    assert project_of(owner, gid) == before


def test_only_the_owner_changes_or_deletes_a_project(owner: Client, colleague: Client) -> None:
    gid = new_project(owner)
    owner.call(f"/api/p/{gid}/members/set", user="colleague", role="member")
    before = project_of(colleague, gid)
    for path, body in (
        ("update", {"name": "mine now"}),
        ("delete", {}),
        ("undelete", {}),
        ("permanent_delete", {"confirm": gid}),
    ):
        response = colleague.post(f"/api/projects/{path}", {"project": gid, **body})
        assert error_of(response) == FORBIDDEN, path
    assert project_of(owner, gid) == before


# --- Deleting a project ---------------------------------------------------------------------------


def test_a_deleted_project_answers_403_to_all_but_undelete_and_comes_back_whole(
    service: Service, owner: Client
) -> None:
    gid = new_project(owner, name="To come back")
    database = database_of(service, gid)
    execute(database, "CREATE TABLE items AS SELECT 'kept' AS name")
    kept = content_of(database)
    version = owner.backup(gid)
    key = key_client(owner, gid)
    before = project_of(owner, gid)

    assert owner.call("/api/projects/delete", project=gid) == {"project": gid}
    for path, body in (
        (f"/api/p/{gid}/init", {}),
        (f"/api/p/{gid}/backups/create", {"created_by": "me"}),
        (f"/api/p/{gid}/backups/restore", {"version": version}),
        (f"/api/p/{gid}/backups/get", {}),
        ("/api/projects/get", {"project": gid}),
        ("/api/projects/update", {"project": gid, "name": "other"}),
        ("/api/projects/delete", {"project": gid}),
        ("/sync/cursors", {"project": gid}),
    ):
        assert error_of(owner.post(path, body)) == FORBIDDEN, path
    assert error_of(key.post(f"/api/p/{gid}/init", {})) == FORBIDDEN
    assert gid not in owner.call("/api/init")["user_projects"]

    response = owner.post("/api/projects/undelete", {"project": gid})
    assert response.json()["result"] == {"project": gid}
    assert response.json()["data"]["cc.projects"][gid] == before
    assert project_of(key, gid) == before
    execute(database, "DROP TABLE items")
    restored(owner, gid, version)
    assert content_of(database) == kept


def test_deleting_a_project_rejects_its_queued_jobs_and_cancels_the_running_one(
    service: Service, owner: Client
) -> None:
    gid = new_project(owner)
    database = database_of(service, gid)
    execute(database, "CREATE TABLE items (name TEXT)")
    cursor = owner.cursor()
    with held(database):
        running = owner.create(gid)["job.token"]
        queued = [owner.create(gid)["job.token"] for _ in range(3)]
        owner.poll(cursor, is_processing(running))
        owner.call("/api/projects/delete", project=gid)
    owner.call("/api/projects/undelete", project=gid)
    last = owner.wait_for(running, cursor)[-1]
    assert last["data"]["status"] == "done"
    error = last["data"]["info"]["error"]
    assert (error["code"], error["info"]) == (
        1003,
        {"process": "backup", "reason": "cancelled"},
    )
    for job in queued:
        assert owner.wait_for(job, cursor)[-1]["data"]["status"] == "rejected"
    assert owner.versions(gid) == []
    # It works again, and the numbers that were given are not given anew.
    assert owner.backup(gid) == 5


def test_a_permanently_deleted_project_leaves_nothing_behind_and_never_comes_back(
    service: Service, owner: Client
) -> None:
    gid, other = new_project(owner), new_project(owner)
    for each in (gid, other):
        execute(database_of(service, each), "CREATE TABLE items AS SELECT 'kept' AS name")
    versions = [owner.backup(gid) for _ in range(2)]
    version = owner.backup(other)
    store = service.folder / "store"

    def objects_of(project: str) -> list[Path]:
        return [path for path in (store / project).rglob("*") if path.is_file()]

    assert len(objects_of(gid)) >= len(versions)
    purge = {"project": gid, "confirm": gid}
    assert error_of(owner.post("/api/projects/permanent_delete", purge)) == FORBIDDEN
    owner.call("/api/projects/delete", project=gid)
    for confirm in ("", "yes", other, gid.upper()):
        response = owner.post("/api/projects/permanent_delete", purge | {"confirm": confirm})
        assert error_of(response)[:2] == (400, 400)
        assert set(error_of(response)[3]) == {"confirm"}
    response = owner.post("/api/projects/permanent_delete", {"project": gid})
    assert set(error_of(response)[3]) == {"confirm"}
    assert objects_of(gid)

    result = owner.call("/api/projects/permanent_delete", **purge)
    assert set(result) == {"project", "job.token"}
    assert error_of(owner.post("/api/projects/undelete", {"project": gid})) == FORBIDDEN
    assert error_of(owner.post("/api/projects/permanent_delete", purge)) == FORBIDDEN
    eventually(lambda: not objects_of(gid), "the stored versions are gone")
    database = database_of(service, gid)
    eventually(lambda: not list(database.parent.glob(f"{gid}*")), "the database is gone")
    assert error_of(owner.post("/api/projects/undelete", {"project": gid})) == FORBIDDEN

    execute(database_of(service, other), "DELETE FROM items")
    restored(owner, other, version)
    assert execute(database_of(service, other), "SELECT name FROM items") == "('kept',)"


# --- People and members ---------------------------------------------------------------------------


def test_one_gets_the_people_with_whom_one_shares_a_project_and_no_others(
    service: Service, owner: Client, colleague: Client
) -> None:
    gid = new_project(owner)
    owner.call(f"/api/p/{gid}/members/set", user="colleague", role="viewer")
    me, other = gid_of(owner), gid_of(colleague)
    body = owner.post("/api/users/get", {"users": [me, other]}).json()
    assert body["result"] == {"users": [me, other]}
    assert set(body["data"]) == {"cc.users"}
    users = body["data"]["cc.users"]
    assert set(users[me]) - set(users[other]) == {"email"}
    assert users[other]["username"] == "colleague"
    one = owner.post("/api/users/get", {"user": other, "users": [me]}).json()
    assert (one["result"], set(one["data"]["cc.users"])) == ({"user": other}, {other})
    stranger = gid_of(person(service, "shares-nothing"))
    for text in (stranger, UNKNOWN, "nonsense"):
        response = owner.post("/api/users/get", {"user": text})
        assert error_of(response) == (422, 422, "Unprocessable entity", {"user": text})
    assert error_of(owner.post("/api/users/get", {}))[:2] == (400, 400)


def test_a_member_is_set_by_gid_or_username_and_a_role_changed(
    owner: Client, colleague: Client
) -> None:
    gid, other = new_project(owner), gid_of(colleague)
    cursor = owner.cursor()
    roles = {"viewer": ["viewer"], "member": ["member", "viewer"]}
    for user, role in ((other, "viewer"), ("colleague", "member")):
        body = owner.post(f"/api/p/{gid}/members/set", {"user": user, "role": role}).json()
        assert body["result"] == {"project": gid, "member": other}
        assert set(body["data"]) == {"cc.users", "cc.projects_members"}
        (membership,) = body["data"]["cc.projects_members"]
        assert (membership["user_gid"], membership["roles"]) == (other, roles[role])
        got = colleague.post("/api/members/get", {"project": gid, "member": other}).json()
        assert got["data"] == {"cc.projects_members": [membership]}
        allowed = colleague.post(f"/api/p/{gid}/backups/create", {"created_by": "me"})
        assert allowed.status_code == {"viewer": 403, "member": 200}[role]
    events = owner.call("/sync/get", cc_cursor=cursor)["sync"]
    changes = [event["action"] for event in events if event["data_key"] == f"{gid}/{other}"]
    assert changes == ["INSERT", "UPDATE"]


@pytest.mark.parametrize("role", ["owner", "admin", "", 7, None])
def test_a_role_that_nobody_gives_is_400(owner: Client, colleague: Client, role: Any) -> None:
    gid = new_project(owner)
    response = owner.post(f"/api/p/{gid}/members/set", {"user": "colleague", "role": role})
    assert error_of(response)[:2] == (400, 400)
    assert set(error_of(response)[3]) == {"role"}
    assert error_of(colleague.post(f"/api/p/{gid}/init", {})) == FORBIDDEN


def test_the_owner_stays_the_owner(owner: Client) -> None:
    gid, me = new_project(owner), gid_of(owner)
    for path, body in (("set", {"role": "viewer"}), ("remove", {})):
        for user in (me, "owns-projects"):
            response = owner.post(f"/api/p/{gid}/members/{path}", {"user": user, **body})
            assert error_of(response)[:2] == (400, 400)
            assert set(error_of(response)[3]) == {"user"}
    assert owner.call("/api/init")["user_projects"][gid] == ["owner", "member", "viewer"]


def test_somebody_who_does_not_exist_or_is_no_member_is_422(
    owner: Client, colleague: Client
) -> None:
    gid = new_project(owner)
    api_user = gid_of(key_client(owner, gid))
    for path, body, users in (
        ("set", {"role": "viewer"}, ("nobody-of-this-name", UNKNOWN, api_user)),
        ("remove", {}, ("nobody-of-this-name", UNKNOWN, "colleague", gid_of(colleague))),
    ):
        for user in users:
            response = owner.post(f"/api/p/{gid}/members/{path}", {"user": user, **body})
            assert error_of(response) == (422, 422, "Unprocessable entity", {"user": user})
    response = owner.post("/api/members/get", {"project": gid, "member": gid_of(colleague)})
    assert error_of(response)[:2] == (422, 422)


def test_a_removed_member_is_403_at_once_and_hears_no_more(
    owner: Client, colleague: Client
) -> None:
    gid, own = new_project(owner), new_project(colleague)
    owner.call(f"/api/p/{gid}/members/set", user="colleague", role="member")
    other = gid_of(colleague)
    with colleague.listen() as listener:
        listener.follow(owner.create(gid)["job.token"])
        body = owner.post(f"/api/p/{gid}/members/remove", {"user": "colleague"}).json()
        assert body["result"] == {"project": gid, "member": other}
        assert body["data"]["cc.projects_members"][0]["status"] == "removed"
        assert error_of(colleague.post(f"/api/p/{gid}/init", {})) == FORBIDDEN
        assert error_of(colleague.post("/api/projects/get", {"project": gid})) == FORBIDDEN
        cursor = owner.cursor()
        unheard = owner.create(gid)["job.token"]
        owner.wait_for(unheard, cursor)
        # A later event of the listener's own project: all before it have arrived.
        listener.follow(colleague.create(own)["job.token"])
        assert unheard not in {event["data_key"] for event in listener.events}
    polled = colleague.call("/sync/get", cc_cursor=cursor)["sync"]
    assert {event["data_key"] for event in polled}.isdisjoint({unheard, gid})
    assert other not in owner.call(f"/api/p/{gid}/init")["project_members"]


def test_a_member_who_comes_back_is_new_to_those_who_listen(
    owner: Client, colleague: Client
) -> None:
    gid, key = new_project(owner), ""
    cursor = owner.cursor()
    for path, body in (
        ("set", {"role": "viewer"}),
        ("set", {"role": "member"}),
        ("remove", {}),
        ("set", {"role": "viewer"}),
    ):
        result = owner.call(f"/api/p/{gid}/members/{path}", user="colleague", **body)
        key = f"{gid}/{result['member']}"
    events = owner.call("/sync/get", cc_cursor=cursor)["sync"]
    changes = [event["action"] for event in events if event["data_key"] == key]
    assert changes == ["INSERT", "UPDATE", "DELETE", "INSERT"]
    assert colleague.call("/api/init")["user_projects"][gid] == ["viewer"]


def test_only_the_owner_changes_members_and_keys(owner: Client, colleague: Client) -> None:
    gid = new_project(owner)
    owner.call(f"/api/p/{gid}/members/set", user="colleague", role="member")
    for client in (colleague, key_client(owner, gid)):
        for path, body in (
            ("members/set", {"user": "colleague", "role": "viewer"}),
            ("members/remove", {"user": "colleague"}),
            ("api_keys/create", {"name": "mine", "role": "member"}),
            ("api_keys/list", {}),
            ("api_keys/revoke", {"prefix": "a"}),
        ):
            assert error_of(client.post(f"/api/p/{gid}/{path}", body)) == FORBIDDEN, path


# --- API keys -------------------------------------------------------------------------------------


def keys_of(owner: Client, gid: str) -> dict[str, dict[str, Any]]:
    result = owner.call(f"/api/p/{gid}/api_keys/list")
    assert result["project"] == gid
    return {item["prefix"]: item for item in result["api_keys"]}


def test_a_key_is_shown_once_and_only_its_hash_is_kept(service: Service, owner: Client) -> None:
    gid = new_project(owner)
    made = owner.call(f"/api/p/{gid}/api_keys/create", name="importer", role="member")
    assert set(made) == {"api_key", "prefix"}
    secret = made["api_key"].removeprefix(f"sp_{made['prefix']}_")
    assert len(secret) >= 43
    entry = keys_of(owner, gid)[made["prefix"]]
    assert secret not in str(entry)
    assert (entry["name"], entry["role"], entry["last_used_on"]) == ("importer", "member", None)
    assert entry["expires_on"] is None
    assert abs(entry["created_on"] - time.time()) < 60

    before = time.time()
    client = Client(service.url, gid)
    client.call(f"/api/p/{gid}/auth", api_key=made["api_key"])
    assert before <= keys_of(owner, gid)[made["prefix"]]["last_used_on"] <= time.time()

    control = service.folder / "savepoint.sqlite3"
    stored = b"".join(path.read_bytes() for path in control.parent.glob(f"{control.name}*"))
    assert made["prefix"].encode() in stored
    assert secret.encode() not in stored


def test_a_revoked_key_opens_nothing_from_then_on(owner: Client) -> None:
    gid = new_project(owner)
    made = owner.call(f"/api/p/{gid}/api_keys/create", name="to revoke", role="member")
    client = Client(owner.url, gid)
    client.call(f"/api/p/{gid}/auth", api_key=made["api_key"])
    user = gid_of(client)
    result = owner.call(f"/api/p/{gid}/api_keys/revoke", prefix=made["prefix"])
    (entry,) = result["api_keys"]
    assert abs(entry["revoked_on"] - time.time()) < 60
    assert_signed_out(client.post(f"/api/p/{gid}/init", {}))
    client.token = None
    assert_signed_out(client.post(f"/api/p/{gid}/auth", {"api_key": made["api_key"]}))
    assert user not in owner.call(f"/api/p/{gid}/init")["project_members"]
    # Once more changes nothing.
    assert owner.call(f"/api/p/{gid}/api_keys/revoke", prefix=made["prefix"]) == result


def test_a_key_of_another_project_can_not_be_revoked_from_here(owner: Client) -> None:
    gid, other = new_project(owner), new_project(owner)
    prefix = owner.call(f"/api/p/{other}/api_keys/create", name="safe", role="viewer")["prefix"]
    response = owner.post(f"/api/p/{gid}/api_keys/revoke", {"prefix": prefix})
    assert error_of(response) == (422, 422, "Unprocessable entity", {"prefix": prefix})
    assert keys_of(owner, other)[prefix]["revoked_on"] is None


@pytest.mark.parametrize(
    ("body", "parameter"),
    [
        ({"expires_on": 1.0}, "expires_on"),
        ({"expires_on": "tomorrow"}, "expires_on"),
        ({"expires_on": 1e300}, "expires_on"),
        ({"expires_on": True}, "expires_on"),
        ({"role": "owner"}, "role"),
        ({"role": None}, "role"),
        ({"name": 7}, "name"),
    ],
)
def test_a_key_that_could_not_be_used_is_400(
    owner: Client, body: dict[str, Any], parameter: str
) -> None:
    gid = new_project(owner)
    response = owner.post(f"/api/p/{gid}/api_keys/create", {"name": "key", "role": "member"} | body)
    assert error_of(response)[:2] == (400, 400)
    assert set(error_of(response)[3]) == {parameter}
    assert keys_of(owner, gid) == {}


def test_a_key_ends_at_its_expiry(owner: Client) -> None:
    gid = new_project(owner)
    expires_on = time.time() + 1.5
    made = owner.call(
        f"/api/p/{gid}/api_keys/create", name="brief", role="member", expires_on=expires_on
    )
    assert keys_of(owner, gid)[made["prefix"]]["expires_on"] == pytest.approx(expires_on, abs=1e-5)
    client = Client(owner.url, gid)
    client.call(f"/api/p/{gid}/auth", api_key=made["api_key"])

    def refused() -> httpx.Response | None:
        response = client.post(f"/api/p/{gid}/init", {})
        return response if response.status_code != 200 else None

    assert_signed_out(eventually(refused, "the key's session ends"))
    assert time.time() >= expires_on
    client.token = None
    assert_signed_out(client.post(f"/api/p/{gid}/auth", {"api_key": made["api_key"]}))


def test_a_key_for_a_viewer_reads_and_makes_nothing(owner: Client) -> None:
    gid = new_project(owner)
    client = key_client(owner, gid, role="viewer")
    assert client.call("/api/init")["user_projects"] == {gid: ["viewer"]}
    assert project_of(client, gid)["backups"]["next_version"] == 1
    response = client.post(f"/api/p/{gid}/backups/create", {"created_by": "me"})
    assert error_of(response) == FORBIDDEN
    assert project_of(client, gid)["backups"]["next_version"] == 1

"""The wire contract, asked over real HTTP: what is answered, and each error once."""

import time
import uuid
from typing import Any

import httpx
import pytest

from tests.content import content_of, execute
from tests.service import Client, Service

GID = uuid.UUID


def error_of(response: httpx.Response) -> tuple[int, int, str, dict[str, Any]]:
    body = response.json()
    assert set(body) == {"success", "result", "data"}
    assert body["success"] is False
    assert body["data"] == {}
    assert set(body["result"]) == {"code", "message", "info"}
    result = body["result"]
    return response.status_code, result["code"], result["message"], result["info"]


def test_create_answers_at_once_with_the_version_in_the_project(
    service: Service, client: Client
) -> None:
    known = client.versions()
    before = time.time()
    response = client.post(
        f"/api/p/{service.project}/backups/create",
        {"created_by": "pipeline", "name": "before the import", "unknown": 1},
    )
    after = time.time()
    body = response.json()
    assert (response.status_code, body["success"]) == (200, True)
    result = body["result"]
    assert set(result) == {"project", "version", "last_backed_up", "job.token"}
    assert result["project"] == service.project
    assert GID(result["job.token"]).version == 4
    assert before <= result["last_backed_up"] <= after
    assert set(body["data"]) == {"cc.projects"}
    project = body["data"]["cc.projects"][service.project]
    assert project["backups"]["versions"][0] == {
        "version": result["version"],
        "name": "before the import",
        "created_by": "pipeline",
        "timestamp": result["last_backed_up"],
    }
    assert project["backups"]["next_version"] == result["version"] + 1
    assert project["backups"]["versions"][1:] == known
    assert response.headers["Authorization"].count(".") == 2
    assert not response.headers["Authorization"].startswith("Bearer")
    assert response.headers["Cache-Control"] == "no-store"


def test_a_version_without_a_name_is_called_by_its_number(client: Client) -> None:
    version = client.backup()
    assert client.versions()[0]["name"] == f"Backup {version}"


def test_the_project_is_whole_in_every_answer(service: Service, client: Client) -> None:
    response = client.post(f"/api/p/{service.project}/init", {})
    project = response.json()["data"]["cc.projects"][service.project]
    assert set(project) == {"gid", "name", "icon", "owner", "status", "options", "backups"}
    assert set(project["options"]) == {
        "languages",
        "timezone",
        "channels",
        "orderedchannels",
        "orderings",
        "orderedorderings",
        "fieldlists",
        "orderedfieldlists",
    }
    for ordered, named in (
        ("orderedchannels", "channels"),
        ("orderedorderings", "orderings"),
        ("orderedfieldlists", "fieldlists"),
    ):
        assert set(project["options"][ordered]) == set(project["options"][named]) != set()


@pytest.mark.parametrize(
    ("body", "parameters"),
    [
        ({}, {"created_by"}),
        ({"created_by": ""}, {"created_by"}),
        ({"created_by": "   "}, {"created_by"}),
        ({"created_by": 7}, {"created_by"}),
        ({"created_by": None}, {"created_by"}),
        ({"created_by": True}, {"created_by"}),
        ({"created_by": "x" * 201}, {"created_by"}),
        ({"created_by": "a\x00b"}, {"created_by"}),
        ({"created_by": "me", "name": 7}, {"name"}),
        ({"created_by": "me", "name": None}, {"name"}),
        ({"created_by": ["me"], "name": {}}, {"created_by", "name"}),
        ([], {"body"}),
        ("text", {"body"}),
        (7, {"body"}),
    ],
)
def test_bad_parameters_of_create_are_400_each_with_a_reason(
    service: Service, client: Client, body: Any, parameters: set[str]
) -> None:
    response = client.post(f"/api/p/{service.project}/backups/create", body)
    status, code, message, info = error_of(response)
    assert (status, code, message) == (400, 400, "Bad request")
    assert set(info) == parameters
    assert all(info.values())


@pytest.mark.parametrize(
    "text",
    [
        "{",
        "null",
        '{"created_by": NaN}',
        '{"created_by": "a", "created_by": "b"}',
        '{"a":' * 100_000 + "1" + "}" * 100_000,
        '{"a":' * 40 + "1" + "}" * 40,
        "\xff",
        '{"created_by": "\\ud800"}',
        '{"created_by": "me", "x": ' + "9" * 5000 + "}",
    ],
)
def test_what_is_not_clean_json_is_400(service: Service, client: Client, text: str) -> None:
    response = client.http.post(
        f"/api/p/{service.project}/backups/create",
        content=text.encode("latin-1"),
        headers={"Authorization": f"Bearer {client.token}", "Content-Type": "application/json"},
    )
    assert error_of(response)[:3] == (400, 400, "Bad request")


@pytest.mark.parametrize(
    "name",
    [
        "Backup 1000000",
        "backup 1000000",
        "BACKUP\u00a0\u00a01000000",
        " Backup\t1000000 ",
        "Backup1000000",
        "Backup \uff11\uff10\uff10\uff10",
        "Backup \u0661\u0660\u0660\u0660",
        "\uff22ackup 1000",
        "Back\u200bup 1000",
        "Backup\u034f 1000",
        "Backup \u277c",
        "Backup \u4e03",
        "Backup 1000\u20e3",
        "Backup \U000e00811000",
        "\u3164",
        "\u2800",
        "",
        "  ",
        "\u200b",
        "x" * 201,
        "line\nbreak",
        "bell\x07",
        "right\u202eleft",
    ],
)
def test_names_that_imitate_or_hide_are_1001(service: Service, client: Client, name: str) -> None:
    response = client.post(
        f"/api/p/{service.project}/backups/create", {"created_by": "me", "name": name}
    )
    status, code, message, info = error_of(response)
    assert (status, code, message) == (422, 1001, "Validation error")
    assert set(info) == {"name"}


def test_a_refused_name_takes_no_version_number(service: Service, client: Client) -> None:
    first = client.create()["version"]
    client.post(f"/api/p/{service.project}/backups/create", {"created_by": "me", "name": " "})
    assert client.create()["version"] == first + 1


def test_a_version_may_have_its_own_default_name_and_any_script_else(
    service: Service, client: Client
) -> None:
    version = client.create()["version"] + 1
    for name in (f"backup  {version}", "备份 before the migration", "Backup 7b", "x" * 200):
        response = client.post(
            f"/api/p/{service.project}/backups/create", {"created_by": "me", "name": name}
        )
        versions = response.json()["data"]["cc.projects"][service.project]["backups"]["versions"]
        assert versions[0]["name"] == name


@pytest.mark.parametrize("version", [0, 999999, 2**63 - 1])
def test_restoring_a_version_that_does_not_exist_is_422(
    service: Service, client: Client, version: int
) -> None:
    response = client.post(f"/api/p/{service.project}/backups/restore", {"version": version})
    assert error_of(response) == (422, 422, "Unprocessable entity", {"version": version})


@pytest.mark.parametrize("version", ["1", 1.5, True, None, -1, 2**63, [1]])
def test_a_version_that_is_no_whole_number_is_400(
    service: Service, client: Client, version: Any
) -> None:
    response = client.post(f"/api/p/{service.project}/backups/restore", {"version": version})
    assert error_of(response)[:2] == (400, 400)
    assert set(error_of(response)[3]) == {"version"}


def test_a_missing_database_is_1003_and_takes_no_version(service: Service, client: Client) -> None:
    gid, database = service.add_project(name="Missing")
    for path in database.parent.glob(f"{database.name}*"):
        path.unlink()
    response = client.post(f"/api/p/{gid}/backups/create", {"created_by": "me"})
    status, code, message, info = error_of(response)
    assert (status, code, message) == (422, 1003, "Process error")
    assert info == {"process": "backup", "reason": "the project's database does not exist"}
    project = client.post(f"/api/p/{gid}/init", {}).json()["data"]["cc.projects"][gid]
    assert project["backups"] == {"versions": [], "next_version": 1}


def test_a_file_that_is_no_database_ends_the_job_with_1003_and_lists_nothing(
    service: Service, client: Client
) -> None:
    gid, database = service.add_project(name="No database")
    for path in database.parent.glob(f"{database.name}-*"):
        path.unlink()
    database.write_bytes(b"this is no database" * 1000)
    cursor = client.cursor()
    job = client.create(gid)["job.token"]
    last = client.wait_for(job, cursor)[-1]
    assert last["data"]["status"] == "done"
    error = last["data"]["info"]["error"]
    assert (error["code"], error["message"]) == (1003, "Process error")
    assert error["info"]["process"] == "backup"
    assert "not" in error["info"]["reason"]
    assert str(database.parent) not in error["info"]["reason"]
    assert client.versions(gid) == []


def test_a_backup_storage_that_can_not_be_written_is_1003_for_backup_and_restore(
    own_service: Service,
) -> None:
    client = own_service.client()
    version = client.backup()
    store = own_service.folder / "store"
    store.rename(own_service.folder / "elsewhere")
    store.write_text("a file where the folder should be")
    for process, body in (("backup", {"created_by": "me"}), ("restore", {"version": version})):
        path = "create" if process == "backup" else "restore"
        response = client.post(f"/api/p/{own_service.project}/backups/{path}", body)
        status, code, message, info = error_of(response)
        assert (status, code, message) == (422, 1003, "Process error")
        assert info["process"] == process
        assert "storage" in info["reason"]
        assert str(own_service.folder) not in info["reason"]


def test_a_stored_object_that_is_damaged_ends_the_restore_with_1003_and_changes_nothing(
    own_service: Service,
) -> None:
    client = own_service.client()
    version = client.backup()
    execute(own_service.database, "DELETE FROM images")
    changed = content_of(own_service.database)
    for pack in (own_service.folder / "store").rglob("packs/*/*"):
        pack.chmod(0o600)
        content = bytearray(pack.read_bytes())
        content[len(content) // 2] ^= 1
        pack.write_bytes(content)
    cursor = client.cursor()
    job = client.restore(version)["job.token"]
    error = client.wait_for(job, cursor)[-1]["data"]["info"]["error"]
    assert (error["code"], error["info"]["process"]) == (1003, "restore")
    assert "damaged" in error["info"]["reason"]
    assert content_of(own_service.database) == changed


def test_strangers_and_unknown_projects_get_the_same_403(service: Service) -> None:
    service.shell(
        "from projects.services import create_user\n"
        "create_user(username='stranger', password='a long enough password')"
    )
    stranger = Client(service.url, service.project)
    stranger.call("/api/login", username="stranger", password="a long enough password")
    answers = [
        stranger.post(f"/api/p/{gid}/{path}", {})
        for gid in (service.project, str(uuid.uuid4()), "nonsense", service.project.upper())
        for path in ("backups/create", "backups/restore", "init")
    ]
    assert {(error_of(answer)[0], str(error_of(answer))) for answer in answers} == {
        (403, str((403, 403, "Forbidden", {})))
    }


def test_a_viewer_reads_and_listens_but_makes_nothing(service: Service) -> None:
    service.shell(
        "from projects.models import Project\n"
        "from projects.services import create_user, set_member\n"
        "user = create_user(username='viewer', password='a long enough password')\n"
        f"set_member(project=Project.objects.get(gid='{service.project}'), user=user, role='viewer')"
    )
    viewer = Client(service.url, service.project)
    result = viewer.call(
        f"/api/p/{service.project}/login", username="viewer", password="a long enough password"
    )
    assert result["user_projects"] == {service.project: ["viewer"]}
    for path in ("create", "restore"):
        response = viewer.post(f"/api/p/{service.project}/backups/{path}", {"created_by": "v"})
        assert error_of(response)[:2] == (403, 403)
    with viewer.listen() as listener:
        job = service.client().create()["job.token"]
        assert listener.follow(job)


@pytest.mark.parametrize(
    ("method", "path", "status", "message"),
    [
        ("POST", "/api/nothing", 404, "Not found"),
        ("POST", "/sync/nothing", 404, "Not found"),
        ("GET", "/api", 404, "Not found"),
        ("GET", "/api/login", 405, "Method not allowed"),
        ("DELETE", "/api/ping", 405, "Method not allowed"),
    ],
)
def test_what_does_not_exist_is_answered_in_the_envelope(
    client: Client, method: str, path: str, status: int, message: str
) -> None:
    response = client.http.request(
        method, path, headers={"Authorization": f"Bearer {client.token}"}
    )
    assert error_of(response) == (status, status, message, {})


def test_other_content_than_json_is_415(service: Service, client: Client) -> None:
    response = client.http.post(
        f"/api/p/{service.project}/backups/create",
        data={"created_by": "me"},
        headers={"Authorization": f"Bearer {client.token}"},
    )
    assert error_of(response) == (415, 415, "Unsupported media type", {})


def test_a_body_of_more_than_a_megabyte_is_413(service: Service, client: Client) -> None:
    response = client.post(
        f"/api/p/{service.project}/backups/create", {"created_by": "x" * 1_100_000}
    )
    assert error_of(response) == (413, 413, "Request entity too large", {})

"""Versions as files: downloaded whole and in parts, and made of files that are uploaded."""

import base64
import hashlib
import sqlite3
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.e2e.test_people import make_people, new_project, signed_in
from tests.service import Client, Service, eventually


@pytest.fixture(scope="module")
def owner(service: Service) -> Client:
    make_people(service, "files")
    return signed_in(service, "files")


@pytest.fixture
def project(owner: Client) -> str:
    return new_project(owner, name='Ünder / the "sun"')


def made(path: Path, *statements: str, mode: str = "delete") -> Path:
    connection = sqlite3.connect(path, isolation_level=None)
    connection.execute(f"PRAGMA journal_mode = {mode}")
    for statement in statements:
        connection.execute(statement)
    connection.close()
    return path


ROWS = (
    "CREATE TABLE t(id INTEGER PRIMARY KEY, x)",
    "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 3000)"
    " INSERT INTO t(x) SELECT hex(randomblob(100)) FROM n",
)


def post_file(client: Client, project: str, files: Any, **fields: str) -> httpx.Response:
    headers = {"Authorization": f"Bearer {client.token}"}
    key = fields.pop("key", None)
    return httpx.post(
        f"{client.url}/api/p/{project}/backups/import",
        data={"created_by": "tests"} | fields,
        files=files,
        headers=headers | ({"Idempotency-Key": key} if key else {}),
        timeout=60,
    )


def imported(client: Client, project: str, path: Path, **fields: str) -> dict[str, Any]:
    """The job's last event for an import of this file."""
    cursor = client.cursor()
    with path.open("rb") as file:
        answer = post_file(client, project, {"upload_file": file}, **fields)
    assert answer.status_code == 200, answer.text
    last = client.wait_for(answer.json()["result"]["job.token"], cursor)[-1]
    return answer.json()["result"] | {"info": last["data"]["info"]}


def download(client: Client, project: str, version: int, **headers: str) -> httpx.Response:
    return httpx.get(
        f"{client.url}/api/p/{project}/backups/{version}/download",
        headers={"Authorization": f"Bearer {client.token}"} | headers,
        timeout=60,
    )


def assert_no_upload_is_left(service: Service) -> None:
    """The last one may be removed right after the answer."""
    scratch = service.folder / "scratch"

    def gone() -> bool:
        return not [*scratch.glob("savepoint-upload-*"), *scratch.glob("imports/*")]

    eventually(gone, "all uploads are removed", seconds=10)


@pytest.mark.parametrize("mode", ["delete", "wal"])
def test_what_was_uploaded_is_downloaded_bit_for_bit(
    service: Service, owner: Client, project: str, tmp_path: Path, mode: str
) -> None:
    path = made(tmp_path / "a.db", *ROWS, mode=mode)
    content = path.read_bytes()
    result = imported(owner, project, path, name="from elsewhere")
    assert "error" not in result["info"]
    (version,) = owner.call(f"/api/p/{project}/backups/get", facts=True)["backups"]
    assert (version["name"], version["purpose"]) == ("from elsewhere", "imported")
    assert version["facts"]["tables"] == {"t": 3000}
    assert version["sha256"] is None
    answer = download(owner, project, result["version"])
    assert answer.status_code == 200
    assert answer.content == content
    assert answer.headers["Content-Type"] == "application/vnd.sqlite3"
    assert answer.headers["Content-Length"] == str(len(content))
    digest = base64.b64encode(hashlib.sha256(content).digest()).decode()
    assert answer.headers["Repr-Digest"] == f"sha-256=:{digest}:"
    assert "attachment" in answer.headers["Content-Disposition"]
    (version,) = owner.call(f"/api/p/{project}/backups/get")["backups"]
    assert version["sha256"] == hashlib.sha256(content).hexdigest()
    assert_no_upload_is_left(service)
    # And it is a version like all others: the project goes back to it.
    cursor = owner.cursor()
    job = owner.restore(result["version"], project)["job.token"]
    assert "error" not in owner.wait_for(job, cursor)[-1]["data"]["info"]


@pytest.fixture(scope="module")
def kept(owner: Client, tmp_path_factory: pytest.TempPathFactory) -> tuple[str, int, bytes]:
    """A project with a version whose file has these bytes."""
    project = new_project(owner, name="kept")
    path = made(tmp_path_factory.mktemp("kept") / "a.db", *ROWS)
    return project, imported(owner, project, path)["version"], path.read_bytes()


@pytest.mark.parametrize(
    ("wanted", "start", "end"),
    [
        ("bytes=0-0", 0, 1),
        ("bytes=0-", 0, None),
        ("bytes=8191-8193", 8191, 8194),
        ("bytes=100000-", 100000, None),
        ("bytes=-1", -1, None),
        ("bytes=-999999999", 0, None),
        ("bytes=5-999999999", 5, None),
    ],
)
def test_a_part_is_given_as_it_is_asked_for(
    owner: Client, kept: tuple[str, int, bytes], wanted: str, start: int, end: int | None
) -> None:
    project, version, content = kept
    answer = download(owner, project, version, Range=wanted)
    assert answer.status_code == 206
    assert answer.content == content[start:end]
    first = start % len(content)
    last = len(content[:end]) - 1
    assert answer.headers["Content-Range"] == f"bytes {first}-{last}/{len(content)}"


@pytest.mark.parametrize("wanted", ["bytes=0-1,5-6", "bytes=9-3", "lines=1-2", "bytes=-", "x"])
def test_a_range_of_another_kind_is_passed_over(
    owner: Client, kept: tuple[str, int, bytes], wanted: str
) -> None:
    project, version, content = kept
    answer = download(owner, project, version, Range=wanted)
    assert (answer.status_code, answer.content) == (200, content)


def test_a_range_behind_the_end_is_416_in_the_envelope(
    owner: Client, kept: tuple[str, int, bytes]
) -> None:
    project, version, content = kept
    answer = download(owner, project, version, Range=f"bytes={len(content)}-")
    assert answer.status_code == 416
    assert answer.headers["Content-Range"] == f"bytes */{len(content)}"
    assert answer.json()["result"]["info"] == {"size": len(content)}


def test_a_broken_off_download_goes_on_only_if_it_is_the_same_file(
    owner: Client, kept: tuple[str, int, bytes]
) -> None:
    project, version, content = kept
    url = f"{owner.url}/api/p/{project}/backups/{version}/download"
    headers = {"Authorization": f"Bearer {owner.token}"}
    with httpx.stream("GET", url, headers=headers, timeout=60) as answer:
        begun = next(answer.iter_bytes(1000))
        etag = answer.headers["ETag"]
    rest = {"Range": f"bytes={len(begun)}-"}
    went_on = download(owner, project, version, **rest, **{"If-Range": etag})
    assert begun + went_on.content == content
    other = download(owner, project, version, **rest, **{"If-Range": '"another"'})
    assert (other.status_code, other.content) == (200, content)


def test_head_tells_the_same_without_the_file(owner: Client, kept: tuple[str, int, bytes]) -> None:
    project, version, content = kept
    answer = httpx.head(
        f"{owner.url}/api/p/{project}/backups/{version}/download",
        headers={"Authorization": f"Bearer {owner.token}"},
    )
    assert answer.status_code == 200
    assert answer.headers["Content-Length"] == str(len(content))
    assert answer.content == b""
    part = httpx.head(
        f"{owner.url}/api/p/{project}/backups/{version}/download",
        headers={"Authorization": f"Bearer {owner.token}", "Range": "bytes=0-0"},
    )
    assert part.status_code == 200, "only GET has ranges"


def test_an_unknown_version_is_422_and_a_viewer_gets_403(
    service: Service, owner: Client, kept: tuple[str, int, bytes]
) -> None:
    project, version, _ = kept
    assert download(owner, project, 999).status_code == 422
    assert download(owner, project, 10**30).status_code == 422
    make_people(service, "looks-on")
    viewer = signed_in(service, "looks-on")
    owner.call(f"/api/p/{project}/members/set", user="looks-on", role="viewer")
    assert download(viewer, project, version).status_code == 403


def test_downloads_give_their_places_back(owner: Client, kept: tuple[str, int, bytes]) -> None:
    project, version, content = kept
    url = f"{owner.url}/api/p/{project}/backups/{version}/download"
    headers = {"Authorization": f"Bearer {owner.token}"}
    for _ in range(12):
        with httpx.stream("GET", url, headers=headers, timeout=60):
            pass  # left before the end
    eventually(
        lambda: download(owner, project, version).content == content, "a place is free again"
    )


def test_a_damaged_version_is_told_and_never_served_as_whole(own_service: Service) -> None:
    client = own_service.client()
    version = client.backup()
    for pack in (own_service.folder / "store").glob("*/packs/*/*"):
        pack.chmod(0o600)
        content = bytearray(pack.read_bytes())
        content[len(content) // 2] ^= 1
        pack.write_bytes(content)
    answer = download(client, client.project, version)
    assert answer.status_code == 422
    assert answer.json()["result"]["info"]["process"] == "download"


# --- Imports --------------------------------------------------------------------------------------


def test_a_damaged_file_is_refused_with_the_reason_and_lists_nothing(
    service: Service, owner: Client, project: str, tmp_path: Path
) -> None:
    path = made(tmp_path / "a.db", *ROWS)
    content = bytearray(path.read_bytes())
    content[4096 * 20 : 4096 * 21] = bytes(4096)
    path.write_bytes(content)
    result = imported(owner, project, path)
    error = result["info"]["error"]["info"]
    assert error["process"] == "import"
    assert "damage" in error["reason"]
    assert owner.versions(project) == []
    assert_no_upload_is_left(service)
    kept = imported(owner, project, path, keep_damaged="true")
    assert kept["info"]["damage"]
    (version,) = owner.call(f"/api/p/{project}/backups/get")["backups"]
    assert version["damage"] == kept["info"]["damage"]
    assert download(owner, project, kept["version"]).content == content


def test_a_version_of_an_empty_database_is_downloaded_and_imported_again(
    owner: Client, project: str, tmp_path: Path
) -> None:
    path = tmp_path / "empty.db"
    path.write_bytes(download(owner, project, owner.backup(project)).content)
    assert path.stat().st_size == 0
    result = imported(owner, project, path)
    assert "error" not in result["info"]
    assert download(owner, project, result["version"]).content == b""


@pytest.mark.parametrize(
    ("files", "fields", "code", "named"),
    [
        ({"upload_file": b"no database at all"}, {}, 400, "upload_file"),
        ({"upload_file": b"SQLite format 3\0"}, {"keep_damaged": "yes"}, 400, "keep_damaged"),
        ({"another": b"SQLite format 3\0"}, {}, 400, "upload_file"),
        ({"upload_file": b"SQLite format 3\0"}, {"created_by": " "}, 400, "created_by"),
        ({"upload_file": b"SQLite format 3\0"}, {"name": "Backup 99"}, 1001, "name"),
    ],
)
def test_what_can_not_be_imported_is_refused_at_once(
    service: Service,
    owner: Client,
    project: str,
    files: dict[str, bytes],
    fields: dict[str, str],
    code: int,
    named: str,
) -> None:
    answer = post_file(owner, project, files, **fields)
    result = answer.json()["result"]
    assert result["code"] == code
    assert named in result["info"]
    assert_no_upload_is_left(service)
    assert owner.call(f"/api/p/{project}/jobs/get")["jobs"] == []


def test_the_call_repeated_with_its_key_makes_one_version(
    service: Service, owner: Client, project: str, tmp_path: Path
) -> None:
    path = made(tmp_path / "a.db", *ROWS)
    with path.open("rb") as file:
        first = post_file(owner, project, {"upload_file": file}, key="once")
        file.seek(0)
        again = post_file(owner, project, {"upload_file": file}, key="once")
    assert first.json() == again.json()
    other = post_file(owner, project, {"upload_file": b"SQLite format 3\0x"}, key="once")
    assert other.status_code == 400
    eventually(lambda: len(owner.versions(project)) == 1, "the import has ended")
    assert_no_upload_is_left(service)


def test_a_body_that_is_no_form_is_refused(owner: Client, project: str) -> None:
    url = f"{owner.url}/api/p/{project}/backups/import"
    headers = {"Authorization": f"Bearer {owner.token}"}
    assert httpx.post(url, json={}, headers=headers).status_code == 415
    form = headers | {"Content-Type": "multipart/form-data; boundary=b"}
    for body in (b"", b"--b\r\n", b"nothing", b"--b\r\n\r\nx\r\n--b--", b"--b--\r\n"):
        answer = httpx.post(url, content=body, headers=form)
        assert answer.status_code == 400, body
    bare = headers | {"Content-Type": "multipart/form-data"}
    assert httpx.post(url, content=b"x", headers=bare).status_code == 400


def test_a_stranger_is_refused_before_his_file_is_read(
    service: Service, owner: Client, project: str
) -> None:
    make_people(service, "uploads-a-lot")
    stranger = signed_in(service, "uploads-a-lot")

    def endless() -> Iterator[bytes]:
        yield b'--b\r\nContent-Disposition: form-data; name="upload_file"; filename="a"\r\n\r\n'
        for _ in range(64):
            yield bytes(1 << 20)

    for token, status in ((stranger.token, 403), ("a.b.c", 401)):
        url = f"{owner.url}/api/p/{project}/backups/import"
        headers = {
            "Authorization": f"Bearer {token}",
            "Content-Type": "multipart/form-data; boundary=b",
        }
        try:
            answer = httpx.post(url, content=endless(), headers=headers, timeout=60)
        except httpx.TransportError:
            pass  # the connection was closed while the file was still being sent
        else:
            assert answer.status_code == status
        assert_no_upload_is_left(service)


def test_a_file_longer_than_the_setting_allows_is_413(tmp_path: Path) -> None:
    running = Service(tmp_path / "data", IMPORT_BYTES="100000")
    running.start(megabytes=1)
    try:
        client = running.client()
        for size, status in ((100_000, 400), (100_001, 413), (2_000_000, 413)):
            answer = post_file(client, client.project, {"upload_file": bytes(size)})
            assert answer.status_code == status
        assert_no_upload_is_left(running)
    finally:
        running.end()


def test_an_import_whose_file_is_gone_fails_and_says_so(
    own_service: Service, tmp_path: Path
) -> None:
    client = own_service.client()
    path = made(tmp_path / "a.db", *ROWS)
    own_service.shell(
        "from pathlib import Path\n"
        "import hashlib, shutil\n"
        "from backups import imports, uploads\n"
        "from projects.models import Project\n"
        f"path = shutil.copy({str(path)!r}, uploads.receiving_path())\n"
        "digest = hashlib.sha256(path.read_bytes()).hexdigest()\n"
        "upload = uploads.Upload(path, path.stat().st_size, digest)\n"
        f"project = Project.objects.get(gid={client.project!r})\n"
        "from django.db import transaction\n"
        "with transaction.atomic():\n"
        "    imports.import_version(project=project, requested_by=None, created_by='me',"
        " upload=upload)\n"
        "    [file.unlink() for file in uploads.kept_path('').iterdir()]\n"
    )

    def ended() -> dict[str, Any] | None:
        jobs = client.call(f"/api/p/{client.project}/jobs/get")["jobs"]
        return next((job for job in jobs if "error" in job["info"]), None)

    job = eventually(ended, "the import has ended")
    assert job is not None
    assert "import it again" in job["info"]["error"]["info"]["reason"]
    assert client.versions() == []


# --- The admin ------------------------------------------------------------------------------------


def test_staff_downloads_on_a_version_s_page(service: Service) -> None:
    client = service.client()
    version = client.backup()
    pk = service.shell(
        "from backups.models import Backup\n"
        f"print(Backup.objects.get(project__gid={client.project!r}, version={version}).pk)"
    )
    path = f"/admin/backups/backup/{pk}/download/"
    with httpx.Client(base_url=service.url, follow_redirects=True, timeout=60) as browser:
        assert "login" in str(browser.get(path).url)
        browser.post(
            "/admin/login/",
            data={
                "username": service.username,
                "password": service.password,
                "csrfmiddlewaretoken": browser.cookies["csrftoken"],
            },
        )
        assert path in browser.get(f"/admin/backups/backup/{pk}/change/").text
        answer = browser.get(path)
    assert answer.status_code == 200
    assert answer.content == download(client, client.project, version).content
    assert answer.content[:15] == b"SQLite format 3"

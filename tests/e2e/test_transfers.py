"""Long transfers: how many at once, for whom, and what becomes of those that stand still."""

import socket
import time
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import httpx
import pytest

from backups.demo.catalogue import write_catalogue
from tests.e2e.test_people import database_of, key_client, new_project, person
from tests.service import Client, Service, eventually

FORM = b'--b\r\nContent-Disposition: form-data; name="upload_file"; filename="a"\r\n\r\n'
END = b"\r\n--b--\r\n"


@pytest.fixture(scope="module")
def few(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    """A service with two places of each kind."""
    running = Service(tmp_path_factory.mktemp("few"), DOWNLOADS="2", UPLOADS="2")
    running.start(megabytes=24)
    yield running
    running.end()


@pytest.fixture(scope="module")
def impatient(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    """The same, which waits a second for a client."""
    folder = tmp_path_factory.mktemp("impatient")
    running = Service(folder, DOWNLOADS="2", UPLOADS="2", STALL_SECONDS="1", TRANSFER_RATE="1000")
    running.start(megabytes=24)
    yield running
    running.end()


@pytest.fixture(scope="module")
def staff(few: Service) -> Client:
    return administrator(few)


def administrator(running: Service) -> Client:
    client = Client(running.url, running.project)
    client.call("/api/login", username=running.username, password=running.password)
    return client


@pytest.fixture(scope="module")
def version(staff: Client) -> int:
    return staff.backup()


def authorized(client: Client) -> dict[str, str]:
    return {"Authorization": f"Bearer {client.token}"}


def file_of(client: Client, version: int) -> str:
    return f"{client.url}/api/p/{client.project}/backups/{version}/download"


def downloaded(client: Client, version: int) -> httpx.Response:
    return httpx.get(file_of(client, version), headers=authorized(client), timeout=60)


def begun(stack: ExitStack, client: Client, version: int) -> httpx.Response:
    """A download of which nothing is read."""
    url, headers = file_of(client, version), authorized(client)
    return stack.enter_context(httpx.stream("GET", url, headers=headers, timeout=60))


def upload(client: Client, parts: Iterator[bytes]) -> httpx.Response:
    headers = authorized(client) | {"Content-Type": "multipart/form-data; boundary=b"}
    url = f"{client.url}/api/p/{client.project}/backups/import"
    return httpx.post(url, content=parts, headers=headers, timeout=60)


def assert_told_to_wait(answer: httpx.Response) -> None:
    assert answer.status_code == 429
    assert answer.headers["Retry-After"] == "10"
    assert answer.json()["result"]["info"] == {"retry_after": 10}


def another_owner(running: Service, name: str) -> Client:
    """A person with a project of their own."""
    client = person(running, name)
    client.project = new_project(client)
    write_catalogue(database_of(running, client.project), 24)
    return client


def test_nobody_takes_all_places_for_downloads(few: Service, staff: Client, version: int) -> None:
    other = another_owner(few, "downloads-too")
    theirs = other.backup()
    with ExitStack() as stack:
        assert begun(stack, staff, version).status_code == 200
        assert_told_to_wait(downloaded(staff, version))
        assert downloaded(other, theirs).status_code == 200
        # All are taken when the others have theirs.
        assert begun(stack, other, theirs).status_code == 200
        third = another_owner(few, "downloads-three")
        assert_told_to_wait(downloaded(third, third.backup()))


def test_an_owner_has_no_more_places_by_the_keys_and_projects_they_make(
    few: Service, staff: Client, version: int
) -> None:
    key = key_client(staff, staff.project)
    elsewhere = Client(staff.url, new_project(staff))
    elsewhere.token = staff.token
    key_elsewhere = key_client(staff, elsewhere.project)
    versions = elsewhere.backup()
    with ExitStack() as stack:
        assert begun(stack, staff, version).status_code == 200
        assert_told_to_wait(downloaded(key, version))
        key_elsewhere.project = elsewhere.project
        assert_told_to_wait(downloaded(key_elsewhere, versions))


def test_a_client_that_leaves_before_the_answer_holds_no_place(staff: Client) -> None:
    # The first download of a version is read whole before it is answered.
    version = staff.backup()
    request = (
        f"GET /api/p/{staff.project}/backups/{version}/download HTTP/1.1\r\nHost: 127.0.0.1\r\n"
        + "".join(f"{name}: {value}\r\n" for name, value in authorized(staff).items())
    )
    for _ in range(3):
        with socket.create_connection((staff.http.base_url.host, staff.http.base_url.port)) as raw:
            raw.sendall(request.encode() + b"\r\n")
    eventually(lambda: downloaded(staff, version).status_code == 200, "a place is free", seconds=20)


def test_a_download_that_nobody_reads_is_broken_off(impatient: Service) -> None:
    client = administrator(impatient)
    version = client.backup()
    with ExitStack() as stack:
        answer = begun(stack, client, version)
        assert answer.status_code == 200
        eventually(lambda: downloaded(client, version).status_code == 200, "its place is free")
        # What was sent is a part, and never looks like the whole.
        with pytest.raises(httpx.TransportError):
            answer.read()
    part = authorized(client) | {"Range": "bytes=0-99"}
    answer = httpx.get(file_of(client, version), headers=part, timeout=60)
    assert answer.status_code == 206, "it can be gone on with"
    assert not any("Traceback" in line for line in impatient.output)


def test_nobody_takes_all_places_for_uploads(few: Service, staff: Client) -> None:
    key = key_client(staff, staff.project)
    other = another_owner(few, "uploads-too")
    answers: list[httpx.Response] = []

    def parts() -> Iterator[bytes]:
        yield FORM + b"SQLite format 3\0"
        eventually(lambda: list((few.folder / "scratch").glob("savepoint-upload-*")), "it is on")
        answers.append(upload(staff, iter([FORM, b"x", END])))
        answers.append(upload(key, iter([FORM, b"x", END])))
        answers.append(upload(other, iter([FORM, b"x", END])))
        yield END

    assert upload(staff, parts()).status_code == 400  # it names nobody as its maker
    assert_told_to_wait(answers[0])
    assert_told_to_wait(answers[1])
    assert answers[2].status_code == 400


def test_an_upload_that_stands_still_is_broken_off(impatient: Service) -> None:
    client = administrator(impatient)

    def parts() -> Iterator[bytes]:
        yield FORM + bytes(100_000)
        scratch = impatient.folder / "scratch"
        eventually(lambda: list(scratch.glob("savepoint-upload-*")), "it has begun")
        eventually(lambda: not list(scratch.glob("savepoint-upload-*")), "it is given up")
        yield END

    try:
        answer = upload(client, parts())
    except httpx.TransportError:
        pass  # the connection was closed before the end was sent
    else:
        assert answer.json()["result"]["info"] == {"body": "stopped coming"}
    assert upload(client, iter([FORM, b"x", END])).status_code == 400, "its place is free again"


def drip(client: Client, seconds: float) -> tuple[bytes, float]:
    """What is answered to an upload that goes on, a byte at a time, for at most so long; and how
    long that took."""
    base = client.http.base_url
    head = (
        f"POST /api/p/{client.project}/backups/import HTTP/1.1\r\nHost: 127.0.0.1\r\n"
        f"Authorization: Bearer {client.token}\r\nContent-Length: 1000000\r\n"
        "Content-Type: multipart/form-data; boundary=b\r\n\r\n"
    )
    began = time.monotonic()
    answer = b""
    with socket.create_connection((base.host, base.port or 80), timeout=0.1) as raw:
        raw.sendall(head.encode() + FORM)
        while not answer and time.monotonic() < began + seconds:
            try:
                raw.sendall(b"x")
                answer = raw.recv(65536)
            except TimeoutError:
                continue
        raw.settimeout(10)
        while answer and not answer.endswith(b"}") and (more := raw.recv(65536)):
            answer += more
    return answer, time.monotonic() - began


def test_an_upload_that_only_drips_is_broken_off(impatient: Service) -> None:
    answer, _ = drip(administrator(impatient), 30)
    assert b"stopped coming" in answer


def test_an_upload_that_takes_too_long_is_broken_off(tmp_path: Path) -> None:
    running = Service(tmp_path / "data", TRANSFER_SECONDS="2", TRANSFER_RATE="0")
    running.start(megabytes=1)
    try:
        answer, seconds = drip(administrator(running), 30)
        assert b"stopped coming" in answer
        assert seconds >= 2
    finally:
        running.end()


def test_an_upload_may_take_longer_than_its_token_lives(tmp_path: Path) -> None:
    running = Service(tmp_path / "data", TOKEN_SECONDS="4")
    running.start(megabytes=8)
    try:
        content = running.database.read_bytes()
        sender = administrator(running)

        def parts() -> Iterator[bytes]:
            token, over = sender.token, False
            yield b'--b\r\nContent-Disposition: form-data; name="created_by"\r\n\r\ntests\r\n'
            yield FORM
            for start in range(0, len(content), 1 << 12):
                yield content[start : start + (1 << 12)]
                over = over or is_over(running, token)
            assert over, "the token was good to the end: nothing is tried here"
            yield END

        answer = upload(sender, parts())
        assert answer.status_code == 200, answer.text
        again = administrator(running)
        again.wait_for(answer.json()["result"]["job.token"], 0)
        (version,) = again.call(f"/api/p/{again.project}/backups/get")["backups"]
        assert version["size"] == len(content)
    finally:
        running.end()


def is_over(running: Service, token: str | None) -> bool:
    headers = {"Authorization": f"Bearer {token}"}
    return httpx.post(f"{running.url}/api/init", json={}, headers=headers).status_code == 401

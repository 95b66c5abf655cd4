"""How many calls are served, to whom, and what one is told then."""

from collections.abc import Iterator
from itertools import count

import httpx
import pytest

from tests.e2e.test_contract import error_of
from tests.e2e.test_people import PASSWORD, make_people, new_project
from tests.service import Client, Service

CALLS, BY_ADDRESS, BY_NAME, CREATES = 40, 8, 3, 4
PEOPLE = ("busy", "quiet", "guessed-at", "creates-often", "shares-alone", "uses-up")
ADDRESSES = (f"127.0.1.{number}" for number in count(1))


@pytest.fixture(scope="module")
def strict(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    """A service that serves a few calls an hour."""
    running = Service(
        tmp_path_factory.mktemp("strict"),
        THROTTLE_CALLS=f"{CALLS}/h",
        THROTTLE_SIGN_IN_ADDRESS=f"{BY_ADDRESS}/h",
        THROTTLE_SIGN_IN_NAME=f"{BY_NAME}/h",
        THROTTLE_CREATE=f"{CREATES}/h",
    )
    running.start(megabytes=1)
    make_people(running, *PEOPLE)
    yield running
    running.end()


def visitor(service: Service, address: str | None = None) -> Client:
    """A client that calls from an address of its own."""
    client = Client(service.url, service.project)
    transport = httpx.HTTPTransport(local_address=address or next(ADDRESSES))
    client.http = httpx.Client(base_url=service.url, transport=transport, timeout=30)
    return client


def resident(service: Service, name: str) -> Client:
    """A person who signed in from an address of their own."""
    client = visitor(service)
    client.call("/api/login", username=name, password=PASSWORD)
    return client


def sign_in(client: Client, name: str, password: str = "wrong", **headers: str) -> int:
    client.token = None
    response = client.post("/api/login", {"username": name, "password": password}, **headers)
    return response.status_code


def assert_throttled(response: httpx.Response) -> None:
    status, code, message, info = error_of(response)
    assert (status, code, message) == (429, 429, "Too many requests")
    assert set(info) == {"retry_after"}
    assert isinstance(info["retry_after"], int)
    assert 1 <= info["retry_after"] <= 3600
    assert response.headers["Retry-After"] == str(info["retry_after"])
    assert "Authorization" not in response.headers


def test_a_users_calls_are_bounded_and_anothers_are_not_touched(strict: Service) -> None:
    busy, quiet = resident(strict, "busy"), resident(strict, "quiet")
    for _ in range(CALLS):
        assert busy.post("/sync/cursors", {}).status_code == 200
    assert_throttled(busy.post("/sync/cursors", {}))
    assert_throttled(busy.post("/api/projects/create", {}))
    assert_throttled(busy.post(f"/api/p/{strict.project}/init", {}))
    assert quiet.post("/sync/cursors", {}).status_code == 200
    assert busy.http.get("/api/ping").status_code == 200


def test_guessing_at_one_name_is_stopped_and_the_person_signs_in_from_elsewhere(
    strict: Service,
) -> None:
    guesser = visitor(strict)
    assert [sign_in(guesser, "guessed-at") for _ in range(BY_NAME)] == [401] * BY_NAME
    body = {"username": "guessed-at", "password": PASSWORD}
    for path in ("/api/login", "/api/token/", f"/api/p/{strict.project}/login"):
        assert_throttled(guesser.post(path, body))
    assert sign_in(guesser, "somebody-else") == 401
    assert sign_in(visitor(strict), "guessed-at", PASSWORD) == 200


def test_an_address_signs_in_so_often_whatever_the_names_and_another_is_not_touched(
    strict: Service,
) -> None:
    guesser = visitor(strict)
    for number in range(BY_ADDRESS):
        assert sign_in(guesser, f"name {number}") == 401
    for path, body in (
        ("/api/login", {"username": strict.username, "password": strict.password}),
        ("/api/token/", {"username": strict.username, "password": strict.password}),
        ("/api/token/refresh/", {"refresh": "nonsense"}),
        (f"/api/p/{strict.project}/login", {"username": "a", "password": "b"}),
        (f"/api/p/{strict.project}/auth", {"api_key": strict.api_key}),
    ):
        assert_throttled(guesser.post(path, body))
    other = visitor(strict)
    other.call(f"/api/p/{strict.project}/auth", api_key=strict.api_key)
    # Who has signed in already goes on, from whichever address.
    guesser.token = other.token
    assert guesser.post("/api/init", {}).status_code == 200


def test_a_forwarded_address_is_not_believed(strict: Service) -> None:
    # From the machine itself, as a proxy on it would call.
    guesser = visitor(strict, "127.0.0.1")
    victim = next(ADDRESSES)
    header = "X-Forwarded-For"
    for number in range(BY_ADDRESS):
        given = victim if number % 2 else f"198.51.100.{number}, {victim}"
        assert sign_in(guesser, f"name {number}", **{header: given}) == 401
    # The header neither gives one a new share nor uses up somebody else's.
    assert sign_in(guesser, "one more", **{header: "203.0.113.9"}) == 429
    assert sign_in(guesser, "one more") == 429
    assert sign_in(visitor(strict, victim), "the victim's") == 401


def test_backups_of_a_project_are_bounded_for_all_its_members_together(strict: Service) -> None:
    owner = resident(strict, "creates-often")
    gid, other = new_project(owner), new_project(owner)
    text = owner.call(f"/api/p/{gid}/api_keys/create", name="key", role="member")["api_key"]
    key = visitor(strict)
    key.call(f"/api/p/{gid}/auth", api_key=text)
    for number in range(CREATES):
        (owner, key)[number % 2].create(gid)
    for client in (owner, key):
        assert_throttled(client.post(f"/api/p/{gid}/backups/create", {"created_by": "me"}))
    project = owner.post("/api/projects/get", {"project": gid}).json()["data"]["cc.projects"][gid]
    assert project["backups"]["next_version"] == CREATES + 1
    # Another project, and everything else in this one, go on.
    assert owner.create(other)["version"] == 1
    assert len(owner.call(f"/api/p/{gid}/jobs/get")["jobs"]) == CREATES


def test_who_may_not_make_backups_can_not_use_up_the_projects_share(strict: Service) -> None:
    owner, stranger = resident(strict, "shares-alone"), resident(strict, "uses-up")
    gid = new_project(owner)
    text = owner.call(f"/api/p/{gid}/api_keys/create", name="eye", role="viewer")["api_key"]
    viewer = visitor(strict)
    viewer.call(f"/api/p/{gid}/auth", api_key=text)
    path, body = f"/api/p/{gid}/backups/create", {"created_by": "me"}
    for _ in range(2 * CREATES):
        for client in (stranger, viewer):
            assert client.post(path, body).status_code == 403
        assert visitor(strict).post(path, body).status_code == 401
    assert [owner.create(gid)["version"] for _ in range(CREATES)] == [1, 2, 3, 4]
    assert_throttled(owner.post(path, body))

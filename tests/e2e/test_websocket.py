"""/sync/ws: who gets in, what comes, and how it ends."""

import json
from pathlib import Path
from typing import Any

import httpx
import pytest
from websockets.exceptions import ConnectionClosed, InvalidStatus
from websockets.sync.client import ClientConnection
from websockets.sync.client import connect as open_websocket

from tests.e2e.test_sign_in import session_of
from tests.service import Client, Listener, Service


def socket_url(service: Service) -> str:
    return f"{service.url.replace('http', 'ws', 1)}/sync/ws"


def close_code(websocket: ClientConnection) -> int:
    """Why the server closes this socket."""
    with pytest.raises(ConnectionClosed) as closed:
        while True:
            websocket.recv(timeout=30)
    assert closed.value.rcvd is not None
    return closed.value.rcvd.code


def test_the_header_signs_in_and_follows_without_a_further_frame(
    service: Service, client: Client
) -> None:
    cursor = client.cursor()
    headers = {"Authorization": f"Bearer {client.token}"}
    with open_websocket(socket_url(service), additional_headers=headers) as websocket:
        listener = Listener(websocket)
        job = client.create()["job.token"]
        assert listener.frame("connect")["cc.cursor"] >= cursor
        events = listener.follow(job)
        assert events[0]["data"]["status"] == "queued"


def test_the_header_and_a_connect_frame_resume_from_a_cursor(
    service: Service, client: Client
) -> None:
    cursor = client.cursor()
    client.backup()
    expected = client.call("/sync/get", cc_cursor=cursor)["sync"]
    headers = {"Authorization": f"Bearer {client.token}"}
    with open_websocket(socket_url(service), additional_headers=headers) as websocket:
        listener = Listener(websocket)
        listener.send({"type": "connect", "cc_cursor": cursor})
        assert listener.frame("connect") == {"type": "connect", "cc.cursor": cursor}
        last = expected[-1]["cursor"]
        assert listener.until(lambda event: event["cursor"] == last) == expected


@pytest.mark.parametrize(
    "frame",
    [
        {"type": "connect"},
        {"type": "connect", "JWT": "nonsense"},
        {"type": "connect", "JWT": 7},
        {"type": "connect", "JWT": None},
    ],
)
def test_no_or_a_bad_token_is_4401(service: Service, frame: Any) -> None:
    with open_websocket(socket_url(service)) as websocket:
        websocket.send(json.dumps(frame))
        assert close_code(websocket) == 4401


def test_a_bad_header_is_4401_whatever_follows(service: Service) -> None:
    headers = {"Authorization": "Bearer nonsense"}
    with open_websocket(socket_url(service), additional_headers=headers) as websocket:
        assert close_code(websocket) == 4401


def test_the_query_string_never_signs_in(service: Service, client: Client) -> None:
    with open_websocket(f"{socket_url(service)}?JWT={client.token}") as websocket:
        websocket.send(json.dumps({"type": "connect"}))
        assert close_code(websocket) == 4401


@pytest.mark.parametrize(
    "frame",
    [
        "no json",
        "[]",
        '"text"',
        '{"type": "subscribe"}',
        "[" * 100_000,
        '{"type": "connect", "x": "' + "x" * 70_000 + '"}',
        b"\x00",
    ],
)
def test_a_frame_that_is_too_large_or_no_json_object_is_4413(
    service: Service, frame: str | bytes
) -> None:
    with open_websocket(socket_url(service)) as websocket:
        websocket.send(frame)
        assert close_code(websocket) == 4413


@pytest.mark.parametrize("cursor", [-1, 1.5, "1", True, 2**63, None])
def test_a_cursor_that_is_no_cursor_is_4413(service: Service, client: Client, cursor: Any) -> None:
    with open_websocket(socket_url(service)) as websocket:
        websocket.send(json.dumps({"type": "connect", "JWT": client.token, "cc_cursor": cursor}))
        assert close_code(websocket) == 4413


def test_a_cursor_ahead_of_the_log_is_told_to_reset_and_may_connect_anew(
    service: Service, client: Client
) -> None:
    with open_websocket(socket_url(service)) as websocket:
        listener = Listener(websocket)
        listener.send({"type": "connect", "JWT": client.token, "cc_cursor": 2**40})
        result = listener.frame("error")["result"]
        assert result == {"code": 422, "message": "Unprocessable entity", "info": {"reset": True}}
        listener.send({"type": "connect", "cc_cursor": client.cursor()})
        listener.frame("connect")
        assert listener.follow(client.create()["job.token"])


def test_a_project_of_others_is_4403(service: Service, client: Client) -> None:
    for gid in ("00000000-0000-4000-8000-000000000000", "nonsense", 7):
        with open_websocket(socket_url(service)) as websocket:
            frame = {"type": "connect", "JWT": client.token, "projects": [gid]}
            websocket.send(json.dumps(frame))
            assert close_code(websocket) == 4403


def test_a_listener_narrowed_to_one_project_hears_of_no_other(
    service: Service, client: Client
) -> None:
    gid, _ = service.add_project(name="Narrow")
    with client.listen(projects=[gid]) as listener:
        client.backup()
        job = client.create(gid)["job.token"]
        listener.follow(job)
        assert {event.get("data", {}).get("project_gid", gid) for event in listener.events} == {gid}
        assert all(event["data_key"] in (gid, job) for event in listener.events)


def test_a_new_member_hears_of_the_project_from_then_on_and_a_removed_one_no_more(
    service: Service, client: Client
) -> None:
    gid, _ = service.add_project(name="Joined")
    guest = session_of(service, "guest")
    change = (
        "from projects.models import Membership, Project, User\n"
        "from projects.services import remove_member, set_member\n"
        f"p = Project.objects.get(gid='{gid}')\nu = User.objects.get(username='guest')\n"
    )
    with guest.listen() as listener:
        client.backup(gid)
        service.shell(change + "set_member(project=p, user=u, role='viewer')")
        listener.until(lambda event: event["data_type"] == "cc.projects_members")
        second = client.create(gid)["job.token"]
        assert len(listener.follow(second)) >= 3
        seen_before = [event for event in listener.events if event["data_key"] == second]
        service.shell(
            change + "remove_member(membership=Membership.objects.get(project=p, user=u))"
        )
        third = client.create(gid)["job.token"]
        client.wait_for(third, 0)
        # A later event of a project that the guest is in: all before it have arrived.
        listener.follow(client.create()["job.token"])
        keys = [event["data_key"] for event in listener.events]
        assert third not in keys
        assert keys.count(second) == len(seen_before)


def test_a_listener_whose_key_is_revoked_is_4401_at_once(service: Service) -> None:
    text = service.shell(
        "from projects.models import Project\nfrom projects.services import create_api_key\n"
        f"p = Project.objects.get(gid='{service.project}')\n"
        "print(create_api_key(project=p, name='listens').text)"
    )
    client = Client(service.url, service.project)
    client.call(f"/api/p/{service.project}/auth", api_key=text)
    with client.listen() as listener:
        service.shell(
            "from projects.models import ApiKey\nfrom projects.services import revoke_api_key\n"
            "revoke_api_key(api_key=ApiKey.objects.get(user__name='listens'))"
        )
        assert close_code(listener.websocket) == 4401


def test_the_admins_cookie_signs_in_from_our_own_pages_only(service: Service) -> None:
    with httpx.Client(base_url=service.url, follow_redirects=True) as browser:
        page = browser.get("/admin/login/")
        token = page.text.partition('name="csrfmiddlewaretoken" value="')[2].partition('"')[0]
        signed_in = browser.post(
            "/admin/login/?next=/admin/",
            data={
                "csrfmiddlewaretoken": token,
                "username": service.username,
                "password": service.password,
            },
            headers={"Referer": f"{service.url}/admin/login/"},
        )
        assert signed_in.status_code == 200
        cookie = {"Cookie": f"sessionid={browser.cookies['sessionid']}"}
    with open_websocket(
        socket_url(service), additional_headers=cookie, origin=service.url
    ) as websocket:
        listener = Listener(websocket)
        assert listener.frame("connect")
        assert listener.follow(service.client().create()["job.token"])
    # A token that is said wins over the cookie of whoever else is signed in to the admin.
    other = service.client()
    with open_websocket(
        socket_url(service), additional_headers=cookie, origin=service.url
    ) as websocket:
        listener = Listener(websocket)
        listener.send({"type": "connect", "JWT": other.token})
        assert listener.frame("connect")
        assert listener.follow(other.create()["job.token"])
    with open_websocket(
        socket_url(service), additional_headers=cookie, origin=service.url
    ) as websocket:
        websocket.send(json.dumps({"type": "connect", "JWT": "nonsense"}))
        assert close_code(websocket) == 4401
    same_host = service.url.replace("http:", "https:")
    for origin in ("https://elsewhere.example", same_host, f"{service.url}.example", "null", None):
        with open_websocket(
            socket_url(service), additional_headers=cookie, origin=origin
        ) as websocket:
            websocket.send(json.dumps({"type": "connect"}))
            assert close_code(websocket) == 4401


def test_other_websocket_paths_are_refused(service: Service) -> None:
    with pytest.raises(InvalidStatus) as refused:
        open_websocket(service.url.replace("http", "ws", 1) + "/sync/other")
    assert refused.value.response.status_code == 403


@pytest.fixture(scope="module")
def hasty(tmp_path_factory: pytest.TempPathFactory) -> Any:
    """A service in which tokens and patience last seconds."""
    running = Service(
        tmp_path_factory.mktemp("hasty"),
        TOKEN_SECONDS="2",
        SESSION_SECONDS="5",
        CONNECT_SECONDS="1",
    )
    running.start(megabytes=2)
    yield running
    running.stop()


def test_no_connect_frame_in_time_is_4408(hasty: Service) -> None:
    with open_websocket(socket_url(hasty)) as websocket:
        assert close_code(websocket) == 4408


def test_a_listener_is_sent_renewed_tokens_until_its_session_ends_with_4401(
    hasty: Service,
) -> None:
    client = hasty.client()
    with client.listen() as listener:
        renewed = listener.frame("authorization")["JWT"]
        client.token = renewed
        client.call("/api/init")
        assert close_code(listener.websocket) == 4401
    assert client.post("/api/init", {}).status_code == 401


def test_a_listener_with_too_much_unsent_is_4429_and_misses_nothing_when_it_resumes(
    tmp_path: Path,
) -> None:
    service = Service(tmp_path, LISTENER_QUEUE="50")
    service.start(megabytes=2)
    try:
        client = service.client()
        cursor = client.cursor()
        with client.listen() as listener:
            service.shell(
                "from uuid import UUID\nfrom jobs.events import Draft, record\n"
                f"record([Draft('UPDATE', 'jobs', 'x', UUID('{service.project}'), data={{}})] * 100)"
            )
            assert close_code(listener.websocket) == 4429
        with client.listen(cc_cursor=cursor) as listener:
            found = listener.until(lambda event: event["cursor"] == cursor + 100)
            assert [event["cursor"] for event in found] == list(range(cursor + 1, cursor + 101))
    finally:
        service.stop()


def test_many_listeners_get_the_same_events(service: Service, client: Client) -> None:
    with client.listen() as one, client.listen() as two, client.listen() as three:
        job = client.create()["job.token"]
        heard = [listener.follow(job) for listener in (one, two, three)]
    assert heard[0] == heard[1] == heard[2]


def test_what_is_polled_and_what_is_pushed_is_the_same(service: Service, client: Client) -> None:
    with client.listen() as listener:
        start = listener.connected["cc.cursor"]
        for _ in range(5):
            job = client.create()["job.token"]
        listener.follow(job)
        last = listener.events[-1]["cursor"]
        polled = client.call("/sync/get", cc_cursor=start)["sync"]
        assert listener.events == [event for event in polled if event["cursor"] <= last]


def test_a_fresh_token_on_an_open_socket_costs_no_event_and_repeats_none(
    service: Service, client: Client
) -> None:
    with client.listen() as listener:
        start = listener.connected["cc.cursor"]
        for number in range(12):
            client.create(name=f"renewed {number}")
            if number % 3 == 0:
                client.call("/api/init")
                listener.send({"type": "connect", "JWT": client.token})
        listener.follow(client.create()["job.token"])
        last = listener.events[-1]["cursor"]
        polled = client.call("/sync/get", cc_cursor=start)["sync"]
        assert listener.events == [event for event in polled if event["cursor"] <= last]

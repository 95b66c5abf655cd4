"""docs/websocket.md is true: its frames and close codes are those of a real socket."""

import json
import re
from collections.abc import Iterator
from typing import Any

import pytest

from jobs import consumers
from tests.service import ROOT, Client, Service, eventually, has_ended
from tests.shapes import check, named

PAGE = (ROOT / "docs" / "websocket.md").read_text()


def frames_under(heading: str) -> list[dict[str, Any]]:
    part = PAGE.partition(f"## {heading}\n")[2].partition("\n## ")[0]
    return [json.loads(text) for text in re.findall(r"^```json\n(.*?)^```", part, re.M | re.S)]


@pytest.fixture(scope="module")
def brief(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    """A service whose tokens are renewed every few seconds."""
    running = Service(tmp_path_factory.mktemp("brief"), TOKEN_SECONDS="6")
    running.start(megabytes=1)
    yield running
    running.end()


@pytest.fixture(scope="module")
def client(brief: Service) -> Client:
    return brief.client()


@pytest.fixture(scope="module")
def heard(client: Client) -> list[dict[str, Any]]:
    """What the server sent: to a listener who hears a backup, is renewed and then gets lost."""
    frames: list[dict[str, Any]] = []
    with client.listen() as listener:
        frames.append(listener.connected)
        job = client.create()["job.token"]

        def listen() -> bool:
            frames.append(json.loads(listener.websocket.recv(timeout=20)))
            events = [event for frame in frames for event in frame.get("sync", [])]
            is_renewed = any(frame["type"] == "authorization" for frame in frames)
            return is_renewed and any(has_ended(event, job) for event in events)

        eventually(listen, "the job's end and a renewed token")
        listener.send({"type": "connect", "cc_cursor": 2**40})
        frames.append(listener.frame("error"))
    return frames


def parts(frame: Any) -> Any:
    """The keys of a frame, at all depths."""
    if isinstance(frame, dict):
        return {name: parts(item) for name, item in frame.items()}
    return None


def kinds(frames: list[dict[str, Any]]) -> dict[str, list[Any]]:
    """For each type of frame, or of event in it, the keys that it came with."""
    found: dict[str, list[Any]] = {}
    for frame in frames:
        for item in frame.get("sync", [frame]):
            kind = f"{frame['type']} {item.get('data_type', '')}"
            if (keys := parts(item)) not in found.setdefault(kind, []):
                found[kind].append(keys)
    return found


def test_every_frame_that_is_heard_is_as_described(heard: list[dict[str, Any]]) -> None:
    for frame in heard:
        check(named("ServerFrame"), frame)


def test_every_frame_on_the_page_is_as_described() -> None:
    assert len(frames_under("What a client sends")) == 3
    for frame in frames_under("What a client sends"):
        check(named("ClientFrame"), frame)
    for frame in frames_under("What the server sends"):
        check(named("ServerFrame"), frame)


def test_what_is_heard_and_what_is_shown_are_the_same_kinds(heard: list[dict[str, Any]]) -> None:
    assert kinds(heard) == kinds(frames_under("What the server sends"))


def test_each_frame_that_a_client_may_send_is_taken(client: Client) -> None:
    cursor = client.cursor()
    for frame in frames_under("What a client sends"):
        values = {"JWT": client.token, "cc_cursor": cursor, "projects": [client.project]}
        own = {name: values.get(name, value) for name, value in frame.items()}
        with client.listen(**own) as listener:
            assert listener.connected["cc.cursor"] >= cursor


def test_the_close_codes_are_those_of_the_socket() -> None:
    told = {int(code) for code in re.findall(r"^\| (\d{4}) \|", PAGE, re.M)}
    sent = {value for name, value in vars(consumers).items() if name.isupper()}
    assert {code for code in told if code >= 4000} == {
        code for code in sent if isinstance(code, int) and 4000 <= code < 5000
    }
    assert f"{consumers.MAX_FRAME // 1024} KiB" in PAGE

"""Requests that come a byte at a time, or not at all."""

import socket
import time
from collections.abc import Iterator

import pytest

from tests.service import Service

HEAD = b"POST /api/login HTTP/1.1\r\nHost: 127.0.0.1\r\n"


@pytest.fixture(scope="module")
def hasty(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    """A service that waits a second for a request's head, and for its body."""
    running = Service(tmp_path_factory.mktemp("hasty"), REQUEST_SECONDS="1")
    running.start(megabytes=1)
    yield running
    running.end()


def said_to(service: Service, begin: bytes, drip: bytes, *, seconds: float = 20) -> bytes:
    """What is answered until the connection is closed, which must be within this time."""
    _, _, port = service.url.rpartition(":")
    answer = b""
    until = time.monotonic() + seconds
    with socket.create_connection(("127.0.0.1", int(port)), timeout=0.1) as raw:
        raw.sendall(begin)
        while time.monotonic() < until:
            try:
                if drip:
                    raw.sendall(drip)
                if not (piece := raw.recv(65536)):
                    return answer
                answer += piece
            except TimeoutError:
                continue
            except OSError:
                return answer
    raise AssertionError("the connection is still open")


@pytest.mark.parametrize(
    ("begin", "drip"),
    [(b"", b""), (b"PO", b""), (HEAD + b"X-Long: ", b"x"), (b"", b"\r\n"), (HEAD, b"A: b\r\n")],
)
def test_a_head_that_does_not_end_is_given_up(hasty: Service, begin: bytes, drip: bytes) -> None:
    assert said_to(hasty, begin, drip) == b""


def test_a_second_head_that_does_not_end_is_given_up_too(hasty: Service) -> None:
    answer = said_to(hasty, b"GET /api/ping HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\nGE", b"")
    assert answer.count(b"HTTP/1.1 200") == 1


@pytest.mark.parametrize("drip", [b"", b" "])
@pytest.mark.parametrize("path", [b"/api/login", b"/admin/login/", b"/api/init"])
def test_a_body_that_does_not_end_is_refused(hasty: Service, path: bytes, drip: bytes) -> None:
    head = HEAD.replace(b"/api/login", path)
    answer = said_to(hasty, head + b"Content-Length: 100000\r\n\r\n{", drip)
    assert b"400 Bad Request" in answer
    assert b"stopped coming" in answer


def test_a_socket_and_its_listener_are_not_hurried(hasty: Service) -> None:
    client = hasty.client()
    with client.listen() as listener:
        time.sleep(2)
        assert listener.follow(client.create()["job.token"])

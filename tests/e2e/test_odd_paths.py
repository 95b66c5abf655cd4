"""Web addresses with characters that no text has."""

import socket

import pytest

from tests.service import Service

ODD = ["%00", "a%00b", "%ed%a0%80", "%ff", "%0a", "%0d%0aX:%20y", "%e2%80%ae", "\udc80"]


def status_of(service: Service, path: str) -> int:
    """The status that the path is answered with, sent as these bytes."""
    _, _, port = service.url.rpartition(":")
    with socket.create_connection(("127.0.0.1", int(port)), timeout=20) as raw:
        head = f"POST {path} HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: 0\r\n"
        raw.sendall(head.encode("utf-8", "surrogateescape") + b"Connection: close\r\n\r\n")
        return int(raw.makefile("rb").readline().split()[1])


@pytest.mark.parametrize("odd", ODD)
def test_an_odd_path_is_refused_and_is_no_fault_of_ours(service: Service, odd: str) -> None:
    for path in (
        f"/{odd}",
        f"/admin/{odd}",
        f"/static/{odd}",
        f"/api/p/{odd}/init",
        f"/api/p/{odd}/auth",
        f"/api/p/{service.project}/backups/{odd}/download",
        f"/admin/login/?next=/{odd}",
    ):
        assert 400 <= status_of(service, path) < 500, path


def test_a_listeners_odd_path_is_refused(service: Service) -> None:
    assert 400 <= status_of(service, "/sync/ws%00") < 500

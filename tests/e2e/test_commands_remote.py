"""A backup asked for from a machine that has the code and an API key, and nothing else."""

import json
import os
import ssl
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from subprocess import CompletedProcess
from typing import Any

import httpx
import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from tests.commands import attempt, run
from tests.content import content_of, execute
from tests.service import Client, Service, free_port

# What happens to a call: "drop" the connection, answer with a status, or lose the true answer.
PASSED = ("authorization", "idempotency-key", "content-type")
Fate = str | int | tuple[int, dict[str, str], Any]


def remote(*arguments: str, **environment: str) -> CompletedProcess[str]:
    """Run the client with no environment but this."""
    bare = {"PATH": os.environ["PATH"], "PYTHONWARNINGS": "default"} | environment
    return attempt(bare, command=[sys.executable, "-m", "backups.remote", *arguments])


class Rough:
    """A proxy before the service at which calls meet the fates that a test gives them."""

    def __init__(self, url: str, fates: dict[str, list[Fate]]) -> None:
        self.url, self.fates = url, fates
        self.calls: list[tuple[str, float, dict[str, str]]] = []

    def of(self, path: str) -> list[tuple[str, float, dict[str, str]]]:
        return [call for call in self.calls if call[0].endswith(path)]

    def handle(self, handler: BaseHTTPRequestHandler) -> None:
        body = handler.rfile.read(int(handler.headers["Content-Length"]))
        headers = dict(handler.headers.items())
        self.calls.append((handler.path, time.monotonic(), headers))
        waiting = next(
            (fates for path, fates in self.fates.items() if handler.path.endswith(path)), []
        )
        fate = waiting.pop(0) if waiting else "pass"
        if fate == "drop":
            handler.close_connection = True
            handler.connection.shutdown(2)
            return
        if isinstance(fate, tuple):
            status, extra, answer = fate
            content = json.dumps(answer).encode()
        else:
            kept = {name: value for name, value in headers.items() if name.lower() in PASSED}
            passed = httpx.post(f"{self.url}{handler.path}", content=body, headers=kept, timeout=60)
            status, content = passed.status_code, passed.content
            extra = {"Authorization": passed.headers.get("Authorization", "")}
            if fate == "lose":
                status, content, extra = 502, b"<html>a proxy says so</html>", {}
        handler.send_response(status)
        for name, value in extra.items():
            if value:
                handler.send_header(name, value)
        handler.send_header("Content-Length", str(len(content)))
        handler.end_headers()
        handler.wfile.write(content)


@contextmanager
def serving(
    handle: Callable[[BaseHTTPRequestHandler], None], context: ssl.SSLContext | None = None
) -> Iterator[int]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self) -> None:
            handle(self)

        def log_message(self, *arguments: Any) -> None: ...

    class Server(ThreadingHTTPServer):
        def handle_error(self, request: Any, address: Any) -> None: ...

    server = Server(("127.0.0.1", 0), Handler)
    if context is not None:
        server.socket = context.wrap_socket(server.socket, server_side=True)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield server.server_address[1]
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


@pytest.fixture
def key_file(service: Service, tmp_path: Path) -> Path:
    path = tmp_path / "key"
    path.write_text(f"{service.api_key}\n")
    return path


def failure(code: int, **info: object) -> dict[str, Any]:
    return {
        "success": False,
        "result": {"code": code, "message": "as scripted", "info": info},
        "data": {},
    }


def test_a_pipeline_makes_a_version_without_settings_that_is_gone_back_to(
    service: Service, key_file: Path
) -> None:
    gid, database = service.add_project(name="Pipeline")
    key_file.write_text(run(service.environment, "create_api_key", gid, "pipeline"))
    before = content_of(database)
    done = remote(
        *("--url", service.url, "--api-key-file", str(key_file), "--project", gid),
        *("--name", "by a pipeline", "--created-by", "build 7", "--wait", "--json"),
    )
    assert done.returncode == 0, done.stderr
    told = json.loads(done.stdout)
    assert set(told) == {
        *("project", "version", "last_backed_up", "job.token", "status", "info"),
        *("damage", "unchecked"),
    }
    assert (told["project"], told["version"], told["status"]) == (gid, 1, "done")
    assert "backup_project done 100%" in done.stderr.splitlines()
    (version,) = json.loads(run(service.environment, "versions", gid, "--json"))["versions"]
    assert (version["name"], version["created_by"]) == ("by a pipeline", "build 7")
    execute(database, "DELETE FROM products")
    run(service.environment, "restore", gid, "1", "--yes", "--wait")
    assert content_of(database) == before


def test_a_pipeline_that_insists_on_a_damaged_database_is_warned(
    service: Service, key_file: Path
) -> None:
    gid, database = service.add_project(name="Damaged pipeline")
    key_file.write_text(run(service.environment, "create_api_key", gid, "pipeline"))
    with database.open("r+b") as file:  # nobody has it open
        file.seek(4096 * 20)
        file.write(bytes(4096 * 3))
    where = ("--url", service.url, "--api-key-file", str(key_file), "--project", gid)
    assert remote(*where, "--wait").returncode == 3
    done = remote(*where, "--keep-damaged", "--wait", "--json")
    assert done.returncode == 0, done.stderr
    damage = json.loads(done.stdout)["damage"]
    assert damage
    assert f"warning: the database of version 2 is damaged: {damage}" in done.stderr


def test_the_client_imports_no_django(service: Service) -> None:
    code = (
        "import sys\nimport backups.remote.command\n"
        "print([name for name in sys.modules if name.split('.')[0] in ('django', 'config')])"
    )
    done = attempt({"PATH": os.environ["PATH"]}, command=[sys.executable, "-c", code])
    assert (done.stdout, done.returncode) == ("[]\n", 0), done.stderr


def test_manage_backup_with_a_url_is_the_same_and_the_key_is_in_no_output(
    service: Service, client: Client
) -> None:
    cursor = client.cursor()
    done = attempt(
        service.environment | {"SAVEPOINT_API_KEY": service.api_key, "LOG_LEVEL": "DEBUG"},
        *("backup", service.project, "--url", service.url),
    )
    assert done.returncode == 0, done.stderr
    assert service.api_key not in done.stdout + done.stderr
    assert "Bearer" not in done.stdout + done.stderr
    job = done.stdout.split()[-1]
    assert client.wait_for(job, cursor)[-1]["data"]["status"] == "done"


def test_one_version_is_made_however_rough_the_way_to_the_server_is(
    service: Service, client: Client, key_file: Path
) -> None:
    before = len(client.versions())
    rough = Rough(
        service.url,
        {
            "/auth": ["drop"],
            "/backups/create": [
                "drop",
                (503, {}, "not JSON of the contract"),
                (429, {"Retry-After": "2"}, failure(429, retry_after=2)),
                "lose",
            ],
            "/sync/get": [
                (500, {}, failure(500)),
                (401, {}, failure(401)),
                (422, {}, failure(422, reset=True)),
            ],
        },
    )
    with serving(rough.handle) as port:
        done = remote(
            *(service.project, "--url", f"http://127.0.0.1:{port}"),
            *("--api-key-file", str(key_file), "--wait", "--json"),
        )
    assert done.returncode == 0, done.stderr
    told = json.loads(done.stdout)
    assert told["status"] == "done"
    assert client.versions()[0]["version"] == told["version"]
    assert len(client.versions()) == before + 1
    creates = rough.of("/backups/create")
    assert len(creates) == 5
    assert len({headers["Idempotency-Key"] for _, _, headers in creates}) == 1
    assert creates[3][1] - creates[2][1] >= 2, "Retry-After was not waited for"
    assert rough.fates == {"/auth": [], "/backups/create": [], "/sync/get": []}
    assert rough.of("/jobs/get"), "what the reset hid was not asked for"
    tokens = [
        headers["Authorization"] for _, _, headers in rough.calls if "Authorization" in headers
    ]
    assert len(set(tokens)) > 3, "renewed tokens were not taken"
    assert service.api_key not in done.stdout + done.stderr


def test_a_server_that_does_not_answer_ends_the_command_with_4(key_file: Path) -> None:
    done = remote(
        *("8c0d5a8b-0161-44f6-80ec-b52dd6829c6d", "--url", f"http://127.0.0.1:{free_port()}"),
        *("--api-key-file", str(key_file), "--timeout", "2"),
    )
    assert (done.returncode, done.stdout) == (4, "")
    assert "the server can't be reached" in done.stderr
    assert "given up" in done.stderr
    assert "Traceback" not in done.stderr


def test_a_server_that_takes_the_call_and_is_silent_then_is_given_up_at_the_timeout(
    service: Service, key_file: Path
) -> None:
    rough = Rough(service.url, {"/sync/get": ["drop"] * 1000})
    with serving(rough.handle) as port:
        done = remote(
            *(service.project, "--url", f"http://127.0.0.1:{port}"),
            *("--api-key-file", str(key_file), "--wait", "--json", "--timeout", "4"),
        )
    assert done.returncode == 4
    told = json.loads(done.stdout)
    assert told["status"] == "queued"
    assert f"the job {told['job.token']} goes on" in done.stderr


def test_a_refusal_while_the_job_is_followed_says_that_it_goes_on_with_4(
    service: Service, key_file: Path
) -> None:
    rough = Rough(service.url, {"/sync/get": [(403, {}, failure(403))]})
    with serving(rough.handle) as port:
        done = remote(
            *(service.project, "--url", f"http://127.0.0.1:{port}"),
            *("--api-key-file", str(key_file), "--wait", "--json"),
        )
    assert done.returncode == 4
    told = json.loads(done.stdout)
    assert f"the server refused: as scripted; the job {told['job.token']} goes on" in done.stderr


def test_what_the_server_refuses_is_one_line_and_exit_code_1(
    service: Service, key_file: Path, tmp_path: Path
) -> None:
    url = ("--url", service.url)
    key = ("--api-key-file", str(key_file))
    other, _ = service.add_project(name="Not the key's")
    bad = tmp_path / "bad"
    bad.write_text("sp_000000000000_wrong")
    refused = {
        (service.project, *url, "--api-key-file", str(bad)): "Permission denied",
        (other, *url, *key): "Permission denied",
        (service.project, *url, *key, "--name", "Backup 9999999"): "are given by number only",
        (service.project, *url, *key, "--created-by", ""): "created_by",
        (service.project, "--url", f"{service.url}/admin", *key): "no answer of a Savepoint",
        (service.project, *url, "--api-key-file", str(tmp_path / "none")): "No such file",
    }
    for arguments, reason in refused.items():
        done = remote(*arguments)
        assert (done.returncode, done.stdout) == (1, ""), done.stderr
        assert reason in done.stderr, done.stderr
        assert "Traceback" not in done.stderr


def test_a_command_line_that_asks_for_nothing_clear_ends_with_2(
    service: Service, key_file: Path
) -> None:
    url = ("--url", service.url)
    key = ("--api-key-file", str(key_file))
    for arguments in (
        (service.project, *url),
        (*url, *key),
        ("Demo catalogue", *url, *key),
        (service.project, "--project", service.project, *url, *key),
        (service.project, "--url", "ftp://localhost", *key),
        (service.project, "--url", "http://localhost:port", *key),
        (service.project, "--url", "https://user:word@localhost", *key),
        (service.project, *url, *key, "--timeout", "0"),
    ):
        done = remote(*arguments)
        assert (done.returncode, done.stdout) == (2, ""), arguments
        assert "Traceback" not in done.stderr, arguments
    done = attempt(service.environment, "backup", service.project, *key)
    assert done.returncode == 2


def test_a_certificate_that_nobody_vouches_for_is_refused_before_the_key_is_sent(
    key_file: Path, tmp_path: Path
) -> None:
    certificate, private = tmp_path / "certificate", tmp_path / "private"
    make_certificate(certificate, private)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, private)
    rough = Rough("", {"/auth": [(401, {}, failure(401)), (401, {}, failure(401))]})
    arguments = ("8c0d5a8b-0161-44f6-80ec-b52dd6829c6d", "--api-key-file", str(key_file))
    with serving(rough.handle, context) as port:
        url = ("--url", f"https://localhost:{port}")
        done = remote(*arguments, *url)
        assert done.returncode == 1
        assert "certificate can't be trusted" in done.stderr
        assert rough.calls == []
        # The same server is spoken to once its certificate is vouched for.
        vouched = remote(*arguments, *url, SSL_CERT_FILE=str(certificate))
    assert "as scripted" in vouched.stderr
    assert len(rough.calls) == 1


def make_certificate(certificate: Path, private: Path) -> None:
    """A certificate for localhost that vouches for itself."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "localhost")])
    now = datetime.now(UTC)
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName("localhost")]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    certificate.write_bytes(made.public_bytes(serialization.Encoding.PEM))
    private.write_bytes(
        key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.TraditionalOpenSSL,
            serialization.NoEncryption(),
        )
    )

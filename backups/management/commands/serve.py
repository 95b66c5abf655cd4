import errno
import fcntl
import socket
import sys
import threading
import time
from argparse import ArgumentParser
from collections.abc import Callable
from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.management import call_command
from django.core.management.base import BaseCommand, CommandError

from backups.demo.greeting import greeting
from backups.demo.setup import ready_demo
from jobs.cluster import Cluster
from jobs.reaper import Reaper
from jobs.supervisor import Child, Supervisor, python

WEB_STOP_SECONDS = 10


class Command(BaseCommand):
    help = (
        "Runs all of Savepoint on this machine: brings its database up to date, then keeps a web"
        " server and a worker cluster running until TERM or Ctrl-C."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--host", default="127.0.0.1")
        parser.add_argument("--port", type=int, default=8000)
        parser.add_argument("--demo", action="store_true", help="with a demo project to try")
        parser.add_argument("--demo-megabytes", type=int, default=40, metavar="N")

    def handle(self, *args: Any, host: str, port: int, **options: Any) -> None:
        check_port(host, port)
        migrate_alone()
        url = f"http://{shown_host(host)}:{port}"
        text = f"Savepoint is running at {url}\n"
        if options["demo"]:
            text = greeting(ready_demo(url, options["demo_megabytes"]))
        cluster, reaper = Cluster(), Reaper()
        supervisor = Supervisor([web_server(host, port), cluster.child])
        threading.Thread(
            target=say_when_up, args=(host, port, text, self.stdout.write), daemon=True
        ).start()
        reaper.start()
        try:
            supervisor.run(lambda: cluster.watch(supervisor))
        finally:
            reaper.stop()
            cluster.clear()


def check_port(host: str, port: int) -> None:
    """Raise CommandError if the port is taken, before anything is started."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.socket(family, socket.SOCK_STREAM) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except (OSError, OverflowError) as error:
            hint = ""
            if isinstance(error, OSError) and error.errno == errno.EADDRINUSE:
                hint = " PORT= chooses another port."
            reason = error.strerror if isinstance(error, OSError) else "no such port"
            raise CommandError(f"can't listen on {host}:{port}: {reason}.{hint}") from error


def shown_host(host: str) -> str:
    """The host as it stands in a URL that works on this machine."""
    if host in ("0.0.0.0", "::"):  # noqa: S104
        return "localhost"
    return f"[{host}]" if ":" in host else host


def migrate_alone() -> None:
    """Bring Savepoint's own database up to date; one process at a time for a data folder."""
    folder = Path(settings.DATA_DIR)
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    with (folder / "migrate.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        call_command("migrate", verbosity=0)


def web_server(host: str, port: int) -> Child:
    return Child(
        name="web server",
        command=python(
            "-m",
            "uvicorn",
            "config.asgi:application",
            *("--host", host, "--port", str(port)),
            *("--http", "config.server:ImpatientProtocol"),
            *("--ws", "websockets-sansio", "--ws-max-size", "1048576"),
            *("--ws-ping-interval", "20", "--ws-ping-timeout", "20"),
            *("--ws-per-message-deflate", "false"),
            *("--timeout-graceful-shutdown", str(WEB_STOP_SECONDS - 2)),
            # Whom to believe about a caller's address is settled by NUM_PROXIES alone.
            "--no-proxy-headers",
            *("--no-server-header", "--no-access-log", "--log-level", "warning"),
        ),
        stop_seconds=WEB_STOP_SECONDS,
    )


def say_when_up(host: str, port: int, text: str, write: Callable[[str], Any]) -> None:
    """Write the text as soon as the web server takes connections."""
    while True:
        try:
            with socket.create_connection((host, port), timeout=5):
                break
        except OSError:
            time.sleep(0.1)
    write(text)
    sys.stdout.flush()

"""Runs commands as people and pipelines do: in processes of their own, on pipes or a terminal."""

import contextlib
import os
import pty
import subprocess
import sys
import threading
from collections.abc import Iterator

from tests.service import ROOT, eventually


def manage(*arguments: str) -> list[str]:
    return [sys.executable, "manage.py", *arguments]


def attempt(
    environment: dict[str, str], *arguments: str, command: list[str] | None = None
) -> subprocess.CompletedProcess[str]:
    """Run a command of manage.py, or another, without a terminal."""
    return subprocess.run(
        command or manage(*arguments),
        cwd=ROOT,
        env=environment,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )


def run(environment: dict[str, str], *arguments: str) -> str:
    """What a command that must succeed prints on standard output."""
    done = attempt(environment, *arguments)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


class Started:
    """A command that is running; its output is read as it comes."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self.process = process
        self.out: list[str] = []
        self.err: list[str] = []
        self._readers = [
            threading.Thread(target=self._read, args=(stream, lines), daemon=True)
            for stream, lines in ((process.stdout, self.out), (process.stderr, self.err))
            if stream is not None
        ]
        for reader in self._readers:
            reader.start()

    @staticmethod
    def _read(stream: object, lines: list[str]) -> None:
        for line in stream:  # type: ignore[attr-defined]
            lines.append(line)

    def says(self, text: str) -> None:
        """Wait until it has said this on standard error."""

        def look() -> bool:
            assert self.process.poll() is None, "".join(self.err)
            return text in "".join(self.err)

        eventually(look, f"it says {text!r}")

    def end(self) -> int:
        """Wait for its end; returns its exit code."""
        code = self.process.wait(timeout=60)
        for reader in self._readers:
            reader.join()
        return code


@contextlib.contextmanager
def started(environment: dict[str, str], *arguments: str) -> Iterator[Started]:
    with subprocess.Popen(
        manage(*arguments),
        cwd=ROOT,
        env=environment,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    ) as process:
        command = Started(process)
        try:
            yield command
        finally:
            process.kill()
            command.end()


class Terminal:
    """A command whose standard input and error are a terminal; its output is a pipe."""

    def __init__(
        self, environment: dict[str, str], *arguments: str, term: str = "xterm-256color"
    ) -> None:
        self._master, slave = pty.openpty()
        self.shown = ""
        self.process = subprocess.Popen(
            manage(*arguments),
            cwd=ROOT,
            env=environment | {"TERM": term, "COLUMNS": "100"},
            stdin=slave,
            stdout=subprocess.PIPE,
            stderr=slave,
            text=True,
            start_new_session=True,
        )
        os.close(slave)
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def _read(self) -> None:
        # A terminal that everybody has closed reads as an error.
        with contextlib.suppress(OSError):
            while read := os.read(self._master, 4096):
                self.shown += read.decode(errors="replace")

    def type(self, text: str) -> None:
        os.write(self._master, text.encode())

    def says(self, text: str) -> None:
        eventually(lambda: text in self.shown, f"the terminal shows {text!r}: {self.shown}")

    def end(self) -> tuple[int, str]:
        """Wait for its end; returns its exit code and what it wrote to the pipe."""
        out, _ = self.process.communicate(timeout=120)
        self._reader.join()
        os.close(self._master)
        return self.process.returncode, out

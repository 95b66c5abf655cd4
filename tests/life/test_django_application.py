"""An application of three Django processes with kept connections goes on reading and writing
while Savepoint restores its database, again and again."""

import json
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack, closing, contextmanager
from pathlib import Path
from typing import Any

import pytest

from tests.service import ROOT, eventually

from .world import Life

pytestmark = pytest.mark.django_db(transaction=True)

PROCESSES = 3

ENTRIES = "SELECT name FROM bank_entry"
BALANCES = (
    "SELECT number, balance, (SELECT coalesce(sum(amount), 0) FROM bank_entry"
    " WHERE account_id = bank_account.id) FROM bank_account"
)


class Bank:
    """The application, and what its processes have told to be committed."""

    def __init__(self, life: Life, folder: Path, mode: str) -> None:
        self.life = life
        self.logs = [folder / f"p{number}.log" for number in range(PROCESSES)]
        self.processes: list[subprocess.Popen[str]] = []
        subprocess.run(self._command("setup", mode), cwd=ROOT, check=True)

    def _command(self, task: str, *arguments: str) -> list[str]:
        return [sys.executable, "-m", "tests.life.bank", task, str(self.life.path), *arguments]

    @contextmanager
    def at_work(self) -> Iterator[None]:
        """The processes work; at the end each must have found all as it must be."""
        with ExitStack() as stack:
            self.processes = [
                stack.enter_context(
                    subprocess.Popen(
                        self._command("run", log.stem, str(log)),
                        cwd=ROOT,
                        stdin=subprocess.PIPE,
                        stdout=subprocess.PIPE,
                        text=True,
                    )
                )
                for log in self.logs
            ]
            try:
                yield
            except BaseException as error:
                error.add_note(f"the application says: {self._answers()}")
                raise
            answers = self._answers()
        for answer in map(json.loads, answers):
            assert not answer["faults"], answer
            assert answer["reads"] and answer["writes"]

    def _answers(self) -> list[str]:
        """What the processes say at their end, which this is for them."""
        return [process.communicate()[0] for process in self.processes]

    def committed(self) -> set[str]:
        """The names of all entries that some process was told to be committed."""
        return {name for log in self.logs for name in log.read_text().splitlines()}

    def moves_on(self) -> None:
        """Wait until each of the processes has committed some more."""
        before = self._written()

        def more() -> bool:
            # One that has ended early says why at the end; the others would not be waited for.
            if any(process.poll() is not None for process in self.processes):
                raise AssertionError("a process of the application has ended")
            return all(now >= then + 2 for now, then in zip(self._written(), before, strict=True))

        eventually(more, "it works on")

    def _written(self) -> list[int]:
        return [len(log.read_text().splitlines()) if log.exists() else 0 for log in self.logs]


def rows(content: bytes, sql: str, path: Path) -> list[tuple[Any, ...]]:
    """What a query gives on a database that nobody has open."""
    path.write_bytes(content)
    with closing(sqlite3.connect(path)) as connection:
        assert connection.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
        return connection.execute(sql).fetchall()


@pytest.mark.parametrize(
    ("mode", "restores"),
    [
        ("wal", 4),
        ("delete", 2),
        pytest.param("wal", 100, marks=pytest.mark.torture),
        pytest.param("delete", 25, marks=pytest.mark.torture),
    ],
)
def test_an_application_works_on_through_restores_and_loses_nothing_that_was_committed(
    tmp_path: Path, settings: Any, mode: str, restores: int
) -> None:
    """Whatever a process was told to be committed is in what the next restore has kept, or is
    there still after the last; and no process ever sees half of a transaction, or of a restore."""
    settings.LOCK_WAIT_SECONDS = 60.0
    life = Life()
    bank = Bank(life, tmp_path, mode)
    kept: set[str] = set()
    found = tmp_path / "found.sqlite3"

    def names(version: int) -> set[str]:
        content = life.download(version)
        assert all(balance == sum_ for _, balance, sum_ in rows(content, BALANCES, found))
        return {name for (name,) in rows(content, ENTRIES, found)}

    with bank.at_work():
        bank.moves_on()
        versions = [backed_up(life)]
        bank.moves_on()
        # Other pages and another schema, so that much is written and statements are out of date.
        with closing(sqlite3.connect(life.path, timeout=60)) as connection, connection:
            connection.execute("CREATE TABLE extra AS SELECT * FROM bank_entry, bank_account")
            connection.execute("CREATE INDEX by_amount ON bank_entry(amount, note)")
        versions.append(backed_up(life))
        for number in range(restores):
            bank.moves_on()
            outcome = life.restore(versions[number % 2], safety=True)
            assert outcome.ok, outcome.reason
            kept |= names(life.kept().version)
        in_version = names(versions[(restores - 1) % 2])
        bank.moves_on()
    left = {name for (name,) in rows(life.content, ENTRIES, found)}
    committed = bank.committed()
    assert in_version <= left, "the version came back"
    assert committed - kept <= left, "what was committed is nowhere"
    assert left - in_version <= committed - (kept - in_version), "what was restored over came back"
    assert kept | left == committed
    again = tmp_path / "again.sqlite3"
    assert all(balance == sum_ for _, balance, sum_ in rows(life.content, BALANCES, again))


def backed_up(life: Life) -> int:
    """The version that was made."""
    outcome = life.backup()
    assert outcome.ok, outcome.reason
    return outcome.version

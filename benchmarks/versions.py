"""Versions a to d by all contestants, in turn on the same files, and the ways back."""

import os
import shutil
import sqlite3
import time
from functools import partial
from pathlib import Path

from backups.engines.sqlite_state import SETTLED_SECONDS
from benchmarks import catalogue
from benchmarks.contestants import Contestant, Restorer, Savepoint
from benchmarks.measure import Cost, Results, forked
from benchmarks.peers import CONTESTANTS
from tests.backups.engines.sqlite_files import Client


def measure(folder: Path, origin: Path, results: Results, rounds: int) -> list[str]:
    """Measure so many rounds; returns the contestants that are not on this machine."""
    missing: list[str] = []
    folder.mkdir()
    for number in range(rounds):
        print(f"round {number + 1} of {rounds}", flush=True)
        missing = _round(folder / f"round{number}", origin, results, number)
        shutil.rmtree(folder / f"round{number}")
    return missing


def _round(folder: Path, origin: Path, results: Results, number: int) -> list[str]:
    folder.mkdir()
    source = folder / "live.db"
    shutil.copyfile(origin, source)
    everybody = [make(folder / str(place), source) for place, make in enumerate(CONTESTANTS)]
    present = [contestant for contestant in everybody if contestant.available()]
    # Nobody is always the first to find the file in the cache, or the last.
    in_turn = present[number % len(present) :] + present[: number % len(present)]
    for step in catalogue.STEPS:
        if step != "first":
            catalogue.change(source, step)
        os.sync()
        # A database that has been at rest for a while: what all but the first of two versions find.
        time.sleep(SETTLED_SECONDS + 0.1)
        for contestant in in_turn:
            if step in contestant.steps and number < contestant.rounds:
                results.add(contestant.name, step, contestant.version())
        if step == "b":
            _in_place(folder, source, present, results, number)
    for contestant in in_turn:
        if isinstance(contestant, Restorer) and "d" in contestant.steps:
            _to_a_new_file(folder, source, contestant, results)
    return [contestant.name for contestant in everybody if contestant not in present]


def _in_place(
    folder: Path, source: Path, present: list[Contestant], results: Results, number: int
) -> None:
    """Back from b to the first version while others have the database open."""
    savepoint = next(item for item in present if type(item) is Savepoint)
    first = folder / "first.db"
    savepoint.put_back(first, savepoint.manifest_keys[0])
    live = folder / "in-place.db"
    ways = {
        "Savepoint": partial(savepoint.put_back, live, savepoint.manifest_keys[0]),
        "SQLite backup API": partial(_copied_over, first, live),
    }
    for who, way in sorted(ways.items(), reverse=number % 2 == 1):
        shutil.copyfile(source, live)
        os.sync()
        with Client(live) as other:
            other.rows("SELECT count(*) FROM categories")
            cost = forked(way)
            other.rows("SELECT count(*) FROM categories")
        _check_same(who, live, first)
        results.add(who, "restore in place", cost)
        for left in folder.glob("in-place.db*"):
            left.unlink()
    for left in folder.glob("first.db*"):
        left.unlink()


def _copied_over(version: Path, live: Path) -> None:
    with sqlite3.connect(version) as source, sqlite3.connect(live) as target:
        source.backup(target)
    source.close()
    target.close()


def _to_a_new_file(folder: Path, source: Path, contestant: Restorer, results: Results) -> None:
    target = folder / "restored.db"
    os.sync()
    cost = forked(lambda: _restored(contestant, target))
    _check_same(contestant.name, target, source)
    results.add(contestant.name, "restore to a new file", Cost(cost.wall, cost.cpu, cost.peak))
    target.unlink()
    for left in (target.with_suffix(".restic"), target.with_suffix(".borg")):
        shutil.rmtree(left, ignore_errors=True)


def _check_same(who: str, one: Path, other: Path) -> None:
    """End the run if the databases don't hold the same: a wrong result has no speed."""
    query = (
        "SELECT count(*), total(updated_on), sum(length(attributes)), max(attributes),"
        " (SELECT sum(length(data)) FROM images), (SELECT total(cents) FROM prices) FROM products"
    )
    found = []
    for path in (one, other):
        connection = sqlite3.connect(path)
        found.append(connection.execute(query).fetchone())
        connection.close()
    if found[0] != found[1]:
        raise SystemExit(f"{who} has restored something else")


def _restored(contestant: Restorer, target: Path) -> None:
    contestant.restore(target)
    # All shall have it on the disk, as ours has.
    descriptor = os.open(target, os.O_RDONLY)
    os.fsync(descriptor)
    os.close(descriptor)

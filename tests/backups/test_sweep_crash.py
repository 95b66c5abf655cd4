"""What is left when the process dies at any step of a sweep."""

import json
import os
import random
import shutil
from collections.abc import Mapping
from pathlib import Path

import pytest

from backups.store.local import LocalStore

from .store.killed import KILLED, killed_at, steps_of
from .versions import UNIT, UnitsEngine, Versions, small_project

KILLS = 25


class FiledVersions(Versions):
    """The list of versions in a file that is replaced at once, as a transaction would."""

    def __init__(self, folder: Path) -> None:
        super().__init__(small_project(LocalStore(folder / "store")))
        self.file = folder / "versions.json"
        if self.file.exists():
            listed = json.loads(self.file.read_text())
            self.listed = {int(version): key for version, key in listed.items()}

    def knows(self, version: int) -> bool:
        """All of its versions were listed once."""
        return True

    def save(self) -> None:
        new = self.file.with_suffix(".new")
        new.write_text(json.dumps(self.listed))
        os.replace(new, self.file)

    def switch(self, keys: Mapping[str, str]) -> None:
        super().switch(keys)
        self.save()


def history_in(folder: Path) -> dict[int, bytes]:
    """Versions, of which some were deleted, so that packs are to be deleted and written anew."""
    versions = FiledVersions(folder)
    chance = random.Random(4)
    data = bytearray(chance.randbytes(UNIT * 150))
    contents = {}
    for number in range(1, 8):
        versions.take(UnitsEngine(bytes(data)))
        contents[number] = bytes(data)
        for _ in range(50 if number < 4 else 5):
            at = UNIT * chance.randrange(150)
            data[at : at + UNIT] = chance.randbytes(UNIT)
    for number in (1, 2, 3, 6):
        del versions.listed[number]
    versions.save()
    return contents


@pytest.mark.parametrize("grace", [0.0, 60.0])
def test_a_killed_sweep_leaves_all_versions_and_the_next_one_ends_its_work(
    tmp_path: Path, grace: float
) -> None:
    origin, folder = tmp_path / "origin", tmp_path / "killed"
    origin.mkdir()
    contents = history_in(origin)
    listed = FiledVersions(origin).listed

    def begin() -> None:
        shutil.rmtree(folder, ignore_errors=True)
        shutil.copytree(origin, folder)

    def swept() -> None:
        FiledVersions(folder).sweep(grace=grace)

    begin()
    steps = steps_of(swept)
    assert FiledVersions(folder).listed != listed, "packs are written anew"
    ends, switched = [], []
    for kill in range(KILLS):
        begin()
        ends.append(killed_at(1 + kill * steps // KILLS, swept))
        versions = FiledVersions(folder)
        switched.append(versions.listed != listed)
        for version in versions.listed:
            assert versions.content(version) == contents[version]
        versions.sweep()
        assert set(versions.store.list("")) == versions.needed()
        assert list(folder.rglob("*.part")) == []
        for version in versions.listed:
            assert versions.content(version) == contents[version]
    assert set(ends) <= {KILLED, 0}
    assert ends.count(KILLED) > KILLS // 2
    assert switched[0] is False
    assert switched[-1] is True

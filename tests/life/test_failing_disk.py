"""A database of which the disk reads only part: that is said of the disk, never of the database."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.service import ROOT

from .cases.damaged import PAGE, TABLE_LEAF, Pages
from .cases.damaged import whole as make_whole
from .others import other_like
from .pages import in_wal_mode


@pytest.fixture(scope="module")
def failing_disk(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The library that makes a disk fail, for LD_PRELOAD. Where it can't be made, nothing is
    tried; but where all is tried, it must be."""
    if shutil.which("cc") is None and "CI" not in os.environ:
        pytest.skip("needs a C compiler")
    library = tmp_path_factory.mktemp("disk") / "failing_disk.so"
    source = Path(__file__).with_name("failing_disk.c")
    command = ["cc", "-shared", "-fPIC", "-O1", "-o", str(library), str(source), "-ldl"]
    subprocess.run(command, check=True)
    return library


@pytest.mark.parametrize("mode", ["wal", "delete"])
@pytest.mark.parametrize("place", ["a page of a table", "the last page", "the first page"])
def test_what_the_disk_does_not_read_is_not_called_damaged(
    tmp_path: Path, failing_disk: Path, place: str, mode: str
) -> None:
    live = tmp_path / "live.db"
    make_whole(live)
    pages = Pages(live)
    page = {
        "a page of a table": pages.of_kind(TABLE_LEAF)[5],
        "the last page": pages.count,
        "the first page": 1,
    }[place]
    content = in_wal_mode(live.read_bytes(), yes=mode == "wal")
    live.write_bytes(content)
    (tmp_path / "version.db").write_bytes(other_like(content, tmp_path / "other", wal=False))
    done = subprocess.run(
        [sys.executable, "-m", "tests.life.on_failing_disk", str(tmp_path)],
        cwd=ROOT,
        env=os.environ
        | {
            "LD_PRELOAD": str(failing_disk),
            "FAILING_FILE": str(live.resolve()),
            "FAILING_FROM": str((page - 1) * PAGE),
            "FAILING_TO": str(page * PAGE),
        },
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    told = json.loads(done.stdout)
    for operation, outcome in told.items():
        assert "did" not in outcome, f"{operation}: {outcome}"
        assert "damage" not in outcome["reason"], f"{operation}: {outcome}"
        assert "disk" in outcome["reason"], f"{operation}: {outcome}"
    assert live.read_bytes() == content, "nothing was changed"

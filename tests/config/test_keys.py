"""The keys are made once, with a word on what has to be kept of them."""

import os
import stat
import sys
from pathlib import Path

from config.keys import FILES
from tests.commands import attempt


def test_making_the_store_key_tells_what_to_keep_and_making_none_tells_nothing(
    tmp_path: Path,
) -> None:
    environment = os.environ | {"DATA_DIR": str(tmp_path / "data")}
    command = [sys.executable, "-m", "config.keys"]
    told = attempt(environment, command=command).stdout
    key = tmp_path / "data" / "keys" / "store.key"
    assert f"Keep a copy of {key}" in told
    assert str(tmp_path / "data" / "store") in told
    assert "restore_from_store" in told
    assert key.read_text().strip() not in told
    files = {path: path.read_bytes() for path in key.parent.iterdir()}
    assert {path.stem for path in files} == set(FILES)
    assert {stat.S_IMODE(path.stat().st_mode) for path in files} == {0o600}

    assert attempt(environment, command=command).stdout == ""
    key.with_name("django.key").unlink()
    told = attempt(environment, command=command).stdout
    assert "django.key" in told
    assert "Keep a copy" not in told
    assert all(path.read_bytes() == data for path, data in files.items() if path.stem != "django")

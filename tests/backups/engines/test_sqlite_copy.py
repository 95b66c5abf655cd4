"""A version's content as a file of our own."""

import os
from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path

import pytest

from backups.engines.sqlite_copy import content_copy, durable_copy
from backups.engines.sqlite_progress import RestoreProgress
from backups.engines.sqlite_writing import written

from .sqlite_files import PagesContent, ignore, make_database, pages_of


def open_files() -> set[str]:
    folder = Path("/proc/self/fd")
    return {os.readlink(folder / name) for name in os.listdir(folder) if (folder / name).exists()}


@pytest.mark.parametrize("make", [durable_copy, content_copy])
def test_nothing_keeps_a_copy_open_that_others_may_open_as_a_database(
    tmp_path: Path, make: Callable[..., AbstractContextManager[Path]]
) -> None:
    make_database(tmp_path / "a.db", "CREATE TABLE t(x)", "INSERT INTO t VALUES (1)")
    pages = pages_of(tmp_path / "a.db")
    steps = RestoreProgress(ignore, len(pages))
    with make(PagesContent(pages), tmp_path, steps, prefix="copy-") as path:
        assert path.read_bytes() == b"".join(pages)
        assert str(path) not in open_files()
    assert not path.exists()


@pytest.mark.parametrize("durable", [True, False])
def test_many_small_blocks_are_written_in_order(tmp_path: Path, durable: bool) -> None:
    blocks = [number.to_bytes(4, "big") for number in range(5000)]
    with (
        open(tmp_path / "a", "xb", buffering=0) as file,
        written(file.fileno(), durable=durable) as writer,
    ):
        for block in blocks:
            writer.add(block)
        writer.end()
        assert writer.size == writer.file_size == 20_000
    assert (tmp_path / "a").read_bytes() == b"".join(blocks)

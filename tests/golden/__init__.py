"""Stored versions of each format that there has been, which every later Savepoint must read.

A folder for each version of the format (docs/format.md): the objects as they were written once, in
`store/`, and in `versions.json` the keys, which are for these tests alone, and the SHA-256 of what
each version must give. A folder is made once, by `python -m tests.golden.make`, and **never made
again**: what it is there for is that nothing of it follows the code. When the format gets a new
version, its folder is added beside the others.
"""

from pathlib import Path

FOLDER = Path(__file__).parent


def repositories() -> list[Path]:
    """The folders of all versions of the format."""
    return sorted(path.parent for path in FOLDER.glob("v*/versions.json"))

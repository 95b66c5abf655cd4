"""Makes the repository of today's format, once: `python -m tests.golden.make`.

The inputs are fixed; the bytes still are others each time, as sealing is random.
"""

import hashlib
import json
import sys
import tempfile
from pathlib import Path

from backups.store.records import FORMAT_VERSION
from tests.backups.histories import KEY, NEW_KEY, History, eventful
from tests.golden import FOLDER

GIDS = [f"{number:08d}-0000-4000-8000-000000000000" for number in (1, 2, 3)]


def histories(folder: Path, store: Path) -> list[History]:
    """Small pages with many versions, usual ones with some, and the largest with a few."""
    small = eventful(History(folder, store, GIDS[0], page_size=512, pages_in_block=13))
    usual = History(folder, store, GIDS[1], page_size=4096, pages_in_block=2, seed=2)
    usual.grow(24)
    usual.take()
    usual.change(3)
    usual.take()
    usual.take()  # unchanged
    usual.keys = (NEW_KEY, KEY)
    usual.shrink()
    usual.take()
    usual.grow(6)
    usual.take()
    # A block that is a single page: grains without marks. A first version with the new key.
    large = History(
        folder, store, GIDS[2], page_size=65536, pages_in_block=1, seed=3, keys=(NEW_KEY,)
    )
    large.take()
    large.grow(4)
    large.take()
    large.change(1)
    large.take()
    return [small, usual, large]


def main() -> None:
    target = FOLDER / f"v{FORMAT_VERSION}"
    if target.exists():
        sys.exit(f"{target} is there: a repository that was made is never made again")
    with tempfile.TemporaryDirectory() as scratch:
        made = histories(Path(scratch), target / "store")
    told = {
        history.gid: {
            stored.version: {
                "name": stored.name,
                "manifest": stored.taken.manifest_key.rpartition("/")[2],
                "size": len(stored.content),
                "sha256": hashlib.sha256(stored.content).hexdigest(),
            }
            for stored in history.versions
        }
        for history in made
    }
    keys = [KEY.hex(), NEW_KEY.hex()]
    text = json.dumps({"keys": keys, "projects": told}, indent=1)
    (target / "versions.json").write_text(text + "\n")
    for path in [target, *target.rglob("*")]:
        # The store makes files that only their owner may read; in a repository all may.
        path.chmod(0o755 if path.is_dir() else 0o644)


if __name__ == "__main__":
    main()

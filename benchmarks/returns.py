"""Contents that come back: to and fro between two, an import of a copy, one that repeats itself."""

import os
import shutil
from collections.abc import Callable
from pathlib import Path

from benchmarks import catalogue
from benchmarks.contestants import Contestant, Savepoint
from benchmarks.measure import Results, forked
from benchmarks.peers import Borg, Restic

# Times that each of the two contents comes back.
TIMES = 3

CONTESTANTS: tuple[Callable[[Path, Path], Contestant], ...] = (Savepoint, Restic, Borg)


def measure(folder: Path, origin: Path, results: Results) -> dict[str, int]:
    """Measure all that are on this machine, in turn; returns the bytes of the contents."""
    folder.mkdir()
    other, repeated, live = folder / "other.db", folder / "repeated.db", folder / "live.db"
    shutil.copyfile(origin, other)
    forked(lambda: catalogue.make_other(other))
    shutil.copyfile(origin, repeated)
    forked(lambda: catalogue.repeat(repeated))
    everybody = [make(folder / str(place), live) for place, make in enumerate(CONTESTANTS)]
    present = [contestant for contestant in everybody if contestant.available()]

    def versions(what: str) -> None:
        os.sync()
        for contestant in present:
            results.add(contestant.name, what, contestant.version())

    for number in range(2 * (TIMES + 1)):
        shutil.copyfile((origin, other)[number % 2], live)
        if number < 2:
            versions(f"{('one', 'another')[number]} content")
        else:
            catalogue.touch(live, number)
            versions("to and fro")
    shutil.copyfile(origin, live)
    versions("import of a copy")
    shutil.copyfile(repeated, live)
    alone = [make(folder / f"alone{place}", live) for place, make in enumerate(CONTESTANTS)]
    for contestant in alone:
        if contestant.available():
            results.add(contestant.name, "repeated content", contestant.version())
    sizes = {"content": origin.stat().st_size, "repeated": repeated.stat().st_size}
    shutil.rmtree(folder)
    return sizes

"""How long a program's commits take while versions of its database are made."""

import json
import os
import shutil
import sqlite3
import statistics
import subprocess
import sys
import time
from pathlib import Path

from benchmarks.contestants import Savepoint
from benchmarks.measure import forked

SECONDS = 6.0
ROUNDS = 3

# A commit each two milliseconds; tells how long each took, in seconds.
_WRITER = """
import json, sqlite3, sys, time
connection = sqlite3.connect(sys.argv[1], isolation_level=None, timeout=60)
connection.execute("PRAGMA synchronous = NORMAL")
(count,) = connection.execute("SELECT max(id) FROM products").fetchone()
end, took, number = time.monotonic() + float(sys.argv[2]), [], 0
while (begun := time.monotonic()) < end:
    number = (number * 7919 + 1) % count
    connection.execute("UPDATE products SET updated_on = updated_on + 1 WHERE id = ?", (number,))
    took.append(time.monotonic() - begun)
    time.sleep(0.002)
print(json.dumps(took))
"""


def measure(folder: Path, origin: Path, nice: int) -> dict[str, float]:
    """The 99th percentile of a commit's milliseconds, undisturbed and disturbed, as medians of
    rounds; and how many versions were made meanwhile. `nice`: as workers run."""
    folder.mkdir()
    source = folder / "live.db"
    shutil.copyfile(origin, source)
    savepoint = Savepoint(folder / "savepoint", source)
    savepoint.version()
    alone, beside, made = [], [], 0
    for _ in range(ROUNDS):
        alone.append(_p99(_started(source)))
        writer = _started(source)
        end = time.monotonic() + SECONDS - 0.5
        while time.monotonic() < end:
            cost = forked(lambda: [os.nice(nice), savepoint.back_up()][1])
            savepoint.manifest_keys.append(cost.result[0])
            savepoint.states.append("")
            made += 1
        beside.append(_p99(writer))
    with sqlite3.connect(source) as connection:
        if connection.execute("PRAGMA quick_check").fetchone() != ("ok",):
            raise SystemExit("the database that was written to is damaged")
    connection.close()
    shutil.rmtree(folder)
    return {
        "undisturbed_p99_ms": round(1000 * statistics.median(alone), 3),
        "disturbed_p99_ms": round(1000 * statistics.median(beside), 3),
        "versions": made,
    }


def _started(source: Path) -> "subprocess.Popen[str]":
    return subprocess.Popen(
        [sys.executable, "-c", _WRITER, str(source), str(SECONDS)],
        stdout=subprocess.PIPE,
        text=True,
    )


def _p99(writer: "subprocess.Popen[str]") -> float:
    took: list[float] = sorted(json.loads(writer.communicate()[0]))
    return took[int(len(took) * 0.99)]

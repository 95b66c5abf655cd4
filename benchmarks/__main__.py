"""`make bench`: measures, prints the ratios with their goals, and writes both as JSON."""

import argparse
import json
import os
import platform
import shutil
import subprocess
import sys
import tempfile
from functools import partial
from pathlib import Path
from typing import Any

from backups.engines.sqlite_connection import SQLITE_VERSION
from benchmarks import catalogue, goals, growth, latency, returns, versions, writer
from benchmarks.contestants import Savepoint
from benchmarks.measure import Results, forked

PARTS = ("versions", "returns", "memory", "growth", "writer", "latency")
# As config.settings has it for workers.
WORKER_NICE = 10
# Long histories, and writers, are measured on smaller databases: there is no end else.
SMALL_MEGABYTES = 100


def main() -> int:
    options = _options()
    folder = Path(tempfile.mkdtemp(prefix="savepoint-bench-", dir=options.folder))
    try:
        found = _measure(folder, options)
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    _print(found)
    if options.out:
        # A list, the goals first: what they were derived from follows.
        rows = [*found["goals"], *found["figures"], *found["measurements"], found["machine"]]
        options.out.write_text(json.dumps(rows, indent=1) + "\n")
    return 0


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("--size-mb", type=int, default=1000, help="of the database (1000)")
    parser.add_argument("--rounds", type=int, default=3, help="medians of so many (3)")
    parser.add_argument("--out", type=Path, help="where the results go, as JSON")
    parser.add_argument("--folder", type=Path, help="where to work (default: the system's)")
    parser.add_argument("--only", choices=PARTS, action="append", help="measure this part only")
    return parser.parse_args()


def _measure(folder: Path, options: argparse.Namespace) -> dict[str, Any]:
    parts = options.only or PARTS
    results = Results()
    found: list[goals.Goal] = []
    figures: list[dict[str, Any]] = []
    print(f"making a database of {options.size_mb} MB", flush=True)
    origin, small = folder / "origin.db", folder / "small.db"
    small_megabytes = min(SMALL_MEGABYTES, options.size_mb)
    forked(lambda: catalogue.make(small, small_megabytes))
    if {"versions", "memory"} & set(parts):
        forked(lambda: catalogue.make(origin, options.size_mb))
    missing: list[str] = []
    if "versions" in parts:
        missing = versions.measure(folder / "versions", origin, results, options.rounds)
        found += goals.of_versions(results)
    if "returns" in parts:
        sizes = returns.measure(folder / "returns", small, results)
        figures.append({"name": "contents that come back: bytes", "value": sizes})
        found += goals.of_returns(results, sizes["content"])
    if "memory" in parts:
        double = folder / "double.db"
        forked(lambda: catalogue.make(double, options.size_mb * 2))
        found.append(_memory(folder / "memory", double, origin))
        double.unlink()
    if "growth" in parts:
        figures.append({"name": "growth", "value": growth.measure(folder / "g", small, results)})
        found.append(goals.of_growth(results))
    if "writer" in parts:
        value = writer.measure(folder / "writer", small, WORKER_NICE)
        figures.append({"name": "a writer's commits", "value": value})
        ratio = value["disturbed_p99_ms"] / value["undisturbed_p99_ms"]
        found.append(goals.Goal("a writer's p99 / undisturbed", ratio, 1.5))
    if "latency" in parts:
        value = latency.measure(folder / "service")
        figures.append({"name": "POST to done, 10 MB", "value": value})
        found.append(goals.Goal("POST to done, 10 MB: ms", value["changed_ms"], 150))
    absent: list[dict[str, Any]] = [
        {"name": f"not on this machine: {name}", "value": None} for name in missing
    ]
    figures += absent
    return {
        "goals": [goal.row() for goal in found],
        "figures": [row | {"goal": None, "met": None} for row in figures],
        "measurements": [
            row | {"value": row["wall_seconds"], "goal": None, "met": None}
            for row in results.rows()
        ],
        "machine": {"name": "machine", "value": _machine(), "goal": None, "met": None},
    }


def _memory(folder: Path, large: Path, small: Path) -> goals.Goal:
    """By how many bytes the peak grows for each page more, where all buffers are in use already."""
    folder.mkdir()
    peaks, pages = [], []
    for number, source in enumerate((small, large)):
        found = []
        # How many packs are on their way at once is chance: the most that was seen counts.
        for again in range(4):
            savepoint = Savepoint(folder / f"{number}-{again}", source)
            found.append(savepoint.version().peak)
            target = folder / "restored.db"
            found.append(forked(partial(savepoint.restore, target)).peak)
            target.unlink()
            shutil.rmtree(savepoint.folder)
        peaks.append(max(found))
        pages.append(source.stat().st_size / 4096)
    shutil.rmtree(folder)
    grown = (peaks[1] - peaks[0]) * (1 << 20) / (pages[1] - pages[0])
    return goals.Goal("peak memory: bytes for each page more", grown, 40)


def _machine() -> dict[str, Any]:
    known: dict[str, Any] = {
        "python": platform.python_version(),
        "sqlite": SQLITE_VERSION,
        "cores": os.cpu_count(),
    }
    model = [
        line.partition(":")[2].strip()
        for line in Path("/proc/cpuinfo").read_text().splitlines()
        if line.startswith("model name")
    ]
    known["processor"] = model[0] if model else platform.machine()
    for name, arguments in (("restic", ["version"]), ("borg", ["--version"]), ("zstd", ["-V"])):
        if shutil.which(name):
            done = subprocess.run([name, *arguments], capture_output=True, text=True, check=True)
            known[name] = done.stdout.strip()
    return known


def _print(found: dict[str, Any]) -> None:
    print()
    for row in found["measurements"]:
        print(
            f"{row['name']:46} {row['wall_seconds']:9.3f} s {row['cpu_seconds']:8.2f} cpu s"
            f" {row['peak_megabytes']:8.1f} MB peak {row['stored_bytes'] / 1e6:10.3f} MB stored"
        )
    for row in found["figures"]:
        print(f"{row['name']}: {row['value']}")
    print()
    for row in found["goals"]:
        met = "met" if row["met"] else "NOT MET"
        print(f"{row['name']:52} {row['value']:12.4f}  goal {row['goal']:>8}  {met}")


if __name__ == "__main__":
    sys.exit(main())

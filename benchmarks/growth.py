"""A hundred versions, each of 1 % changed: whether time, storage and memory stay what they were."""

import shutil
from pathlib import Path
from typing import Any

from benchmarks import catalogue
from benchmarks.contestants import Savepoint
from benchmarks.measure import Results, bytes_below

VERSIONS = 100


def measure(folder: Path, origin: Path, results: Results) -> dict[str, Any]:
    """Figures of the whole history; single versions go to the results."""
    folder.mkdir()
    source = folder / "live.db"
    shutil.copyfile(origin, source)
    savepoint = Savepoint(folder / "savepoint", source)
    costs = []
    for number in range(VERSIONS):
        if number:
            catalogue.percent_changed(source, seed=number)
        costs.append(savepoint.version())
    for name, chosen in (("2nd to 6th", costs[1:6]), ("last five", costs[-5:])):
        for cost in chosen:
            results.add("Savepoint", f"growth, {name}", cost)
    project = savepoint.project()
    tables = sum(map(project.store.size, project.table_keys()))
    manifests = sum(map(project.store.size, project.manifest_keys()))
    figures = {
        "database_bytes": bytes_below(source),
        "versions": VERSIONS,
        "stored_bytes": bytes_below(savepoint.store),
        "manifest_bytes": manifests,
        "table_bytes": tables,
        "peak_megabytes": round(max(cost.peak for cost in costs), 1),
    }
    shutil.rmtree(folder)
    return figures

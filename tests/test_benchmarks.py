"""The benchmarks run, restore what they stored, and write what they promise. No figure is judged."""

import json
import subprocess
import sys
from pathlib import Path

from tests.service import ROOT


def test_a_small_run_measures_and_writes_its_results(tmp_path: Path) -> None:
    out = tmp_path / "results.json"
    arguments = ("--size-mb", "2", "--rounds", "1", "--only", "versions", "--only", "returns")
    arguments += ("--out", str(out))
    done = subprocess.run(
        [sys.executable, "-m", "benchmarks", *arguments, "--folder", str(tmp_path)],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    rows = json.loads(out.read_text())
    assert all({"name", "value", "goal", "met"} <= set(row) for row in rows)
    names = {row["name"] for row in rows}
    assert {"version b: bytes / the first's", "unchanged: bytes", "Savepoint: c"} <= names
    assert {"to and fro: bytes / the content's", "Savepoint: import of a copy"} <= names
    assert {type(row["met"]) for row in rows if row["goal"] is not None} == {bool}
    assert list(tmp_path.iterdir()) == [out]

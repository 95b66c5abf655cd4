"""The README's commands, run as they stand, in a copy of this folder with nothing installed."""

import json
import os
import re
import shutil
import signal
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.service import ROOT, eventually, free_port

README = (ROOT / "README.md").read_text()
SHELL = re.findall(r"^```sh\n(.*?)^```", README, re.M | re.S)
PYTHON = re.findall(r"^```python\n(.*?)^```", README, re.M | re.S)


def outside_environment() -> dict[str, str]:
    """The environment without what belongs to this test run."""
    from tests.environment import settings_variables

    return {
        name: value
        for name, value in os.environ.items()
        if name
        not in settings_variables() | {"DJANGO_SETTINGS_MODULE", "VIRTUAL_ENV", "PYTHONPATH"}
    }


@pytest.fixture(scope="module")
def clone(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A copy as git would make it, with `make run` running in it."""
    folder = tmp_path_factory.mktemp("clone")
    listed = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
        cwd=ROOT,
        capture_output=True,
        check=True,
    ).stdout.decode()
    for name in filter(None, listed.split("\0")):
        if (ROOT / name).is_file():
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(ROOT / name, folder / name)
    assert SHELL[0] == "make run\n"
    log = folder / "make-run.log"
    with log.open("w") as output:
        running = subprocess.Popen(
            ["make", "run", f"PORT={free_port()}"],
            cwd=folder,
            env=outside_environment(),
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
    eventually(
        lambda: "Ctrl-C ends it" in log.read_text() or running.poll() is not None,
        "make run is up",
        seconds=300,
    )
    assert running.poll() is None, log.read_text()
    yield folder
    # As the terminal does it: Ctrl-C goes to the whole foreground group.
    os.killpg(running.pid, signal.SIGINT)
    running.wait(timeout=40)


def run(clone: Path, *blocks: str) -> str:
    done = subprocess.run(
        ["sh", "-ec", "\n".join(blocks)],
        cwd=clone,
        env=outside_environment(),
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def answers(output: str) -> list[dict[str, object]]:
    """The JSON answers in what a series of calls printed."""
    decoder, found, rest = json.JSONDecoder(), [], output.strip()
    while rest:
        answer, end = decoder.raw_decode(rest)
        found.append(answer)
        rest = rest[end:].strip()
    return found


def test_demo_json_holds_what_is_promised_for_its_owner_only(clone: Path) -> None:
    path = clone / "data" / "demo.json"
    assert path.stat().st_mode & 0o777 == 0o600
    known = json.loads(path.read_text())
    assert set(known) == {"url", "username", "password", "project", "api_key", "database"}
    assert 35e6 < Path(known["database"]).stat().st_size < 50e6


def test_the_shell_lines_and_the_listener_do_what_the_readme_says(clone: Path) -> None:
    first_minutes, going_back, files = SHELL[2], SHELL[3], SHELL[4]
    created, polled = answers(run(clone, first_minutes))
    assert created["success"] is True
    assert polled["success"] is True

    (clone / "listen.py").write_text(PYTHON[0])
    listening = subprocess.Popen(
        [".venv/bin/python", "listen.py"], cwd=clone, stdout=subprocess.PIPE, text=True
    )
    assert listening.stdout is not None
    heard: list[str] = []

    def ended(kind: str) -> bool:
        assert listening.stdout is not None
        heard.append(listening.stdout.readline())
        return f'"job":"{kind}","status":"done"' in heard[-1].replace(" ", "")

    eventually(lambda: ended("backup_project"), "the listener hears of the version")
    (restored,) = answers(run(clone, first_minutes.partition("# Take")[0], going_back))
    assert restored["success"] is True
    eventually(lambda: ended("restore_project"), "the listener hears of the restore")
    (imported,) = answers(run(clone, first_minutes.partition("# Take")[0], files))
    assert imported["success"] is True
    assert (clone / "catalogue.sqlite3").read_bytes()[:15] == b"SQLite format 3"
    eventually(lambda: ended("import_version"), "the listener hears of the import")
    listening.kill()
    listening.wait()
    listening.stdout.close()
    assert not [line for line in heard if "error" in line]


def test_the_lines_that_make_run_prints_work_when_pasted(clone: Path) -> None:
    printed = (clone / "make-run.log").read_text()
    lines = [line for line in printed.splitlines() if line.startswith(("TOKEN=", "curl "))]
    assert len(lines) == 3
    created, polled = answers(run(clone, *lines))
    assert created["success"] is True
    assert polled["success"] is True
    known = json.loads((clone / "data" / "demo.json").read_text())
    for value in known.values():
        assert value in printed


def test_a_port_that_is_taken_is_told_in_one_sentence(clone: Path) -> None:
    known = json.loads((clone / "data" / "demo.json").read_text())
    port = known["url"].rpartition(":")[2]
    refused = subprocess.run(
        ["make", "run", f"PORT={port}"],
        cwd=clone,
        env=outside_environment(),
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert refused.returncode != 0
    assert "PORT= chooses another port" in refused.stderr
    assert "Traceback" not in refused.stderr

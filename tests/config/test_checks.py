"""Wrong set-ups are found at the start, each with an id."""

from datetime import timedelta
from io import StringIO
from pathlib import Path
from typing import Any

import pytest
from django.core.checks import run_checks
from django.core.management import call_command

from backups.tools import TOOLS


def ids() -> list[str]:
    return [str(message.id) for message in run_checks()]


def test_the_defaults_are_sound() -> None:
    assert ids() == []


def test_there_need_be_no_time_of_grace(settings: Any) -> None:
    settings.SWEEP_GRACE_SECONDS = 0.0
    assert ids() == []


@pytest.mark.parametrize(
    ("name", "value", "expected"),
    [
        ("JOB_TASKS", {"backup_project": "backups.tasks.nothing"}, "jobs.E001"),
        ("JOB_LEASE_SECONDS", 5.0, "jobs.E002"),
        ("Q_CLUSTER", {"timeout": 60, "retry": 60, "ack_failures": True}, "jobs.E003"),
        ("WORKERS", 0, "jobs.E004"),
        ("REAPER_SECONDS", 0.0, "jobs.E005"),
        ("SWEEP_SECONDS", 0.0, "jobs.E005"),
        ("SWEEP_GRACE_SECONDS", -1.0, "jobs.E005"),
        ("JOB_RIGHTS", {}, "jobs.E007"),
        ("HOUSEKEEPING", ["backups.sweeps.nothing"], "jobs.E006"),
        ("TOKEN_LIFETIME", timedelta(0), "projects.E001"),
        ("THROTTLE_RATES", {"calls": "many"}, "projects.E002"),
        ("STORE_KEYS", "too short", "backups.E001"),
        ("ADDRESS_KEYS", ["too short"], "backups.E002"),
        ("FRAME_BYTES", 1, "backups.E003"),
    ],
)
def test_what_is_wrong_is_told_by_its_id(
    settings: Any, name: str, value: Any, expected: str
) -> None:
    setattr(settings, name, value)
    assert set(ids()) == {expected}


def test_roots_in_which_all_can_make_files_are_refused(settings: Any, tmp_path: Path) -> None:
    root = tmp_path / "root"
    root.mkdir(mode=0o775)
    settings.SQLITE_ROOTS = [root]
    assert ids() == []
    root.chmod(0o1777)
    assert ids() == ["backups.E006"]
    settings.SQLITE_ROOTS_SHARED = True
    assert ids() == []
    settings.SQLITE_ROOTS_SHARED = False
    root.chmod(0o755)
    tmp_path.chmod(0o777)
    assert ids() == ["backups.E006"], "the root itself can be exchanged"


def test_a_kernel_that_can_not_fence_is_told_where_others_write(
    settings: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("backups.checks.fences", lambda: False)
    assert ids() == []
    settings.SQLITE_ROOTS = [tmp_path]
    assert ids() == ["backups.W003"]


@pytest.mark.parametrize(
    ("version", "harm"),
    [("3.50.4", "WAL-reset"), ("3.51.2", "WAL-reset"), ("3.51.3", "CVE-2026-11822")],
)
def test_a_sqlite_with_known_faults_is_told_with_them(
    monkeypatch: pytest.MonkeyPatch, version: str, harm: str
) -> None:
    monkeypatch.setitem(TOOLS, "sqlite", version)
    [found] = run_checks()
    assert found.id == "backups.W001"
    assert version in str(found.msg)
    assert harm in str(found.msg)


def test_a_sqlite_newer_than_every_known_fault_is_sound(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(TOOLS, "sqlite", "3.100.0")
    assert ids() == []


def test_a_second_package_with_a_sqlite_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    metadata = tmp_path / "sqlean.py-3.50.4.5.dist-info" / "METADATA"
    metadata.parent.mkdir()
    metadata.write_text("Metadata-Version: 2.1\nName: sqlean.py\nVersion: 3.50.4.5\n")
    monkeypatch.syspath_prepend(tmp_path)
    [found] = run_checks()
    assert found.id == "backups.W002"
    assert "sqlean.py 3.50.4.5" in str(found.msg)


def test_the_check_command_names_the_sqlite_and_its_package() -> None:
    out = StringIO()
    call_command("check", stderr=out)
    assert "(backups.I001)" in out.getvalue()
    assert f"SQLite {TOOLS['sqlite']} of arize-phoenix-sqlean " in out.getvalue()
    assert ids() == [], "no other command tells it"

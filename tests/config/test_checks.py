"""Wrong set-ups are found at the start, each with an id."""

from datetime import timedelta
from typing import Any

import pytest
from django.core.checks import run_checks


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
        ("HOUSEKEEPING", ["backups.sweeps.nothing"], "jobs.E006"),
        ("TOKEN_LIFETIME", timedelta(0), "projects.E001"),
        ("STORE_KEYS", "too short", "backups.E001"),
        ("ADDRESS_KEYS", ["too short"], "backups.E002"),
        ("FRAME_BYTES", 1, "backups.E003"),
    ],
)
def test_what_is_wrong_is_told_by_its_id(
    settings: Any, name: str, value: Any, expected: str
) -> None:
    setattr(settings, name, value)
    assert ids() == [expected]

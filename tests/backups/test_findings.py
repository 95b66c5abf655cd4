"""What Savepoint's own database keeps of what a version's database said of itself."""

import json
from collections.abc import Iterator
from typing import Any

import pytest
from django.db import connection
from django.db.migrations.executor import MigrationExecutor
from django.utils import timezone

from backups.facts import Findings
from backups.findings import FACTS_BYTES, TEXT_LENGTH, as_fields, bounded_facts, columns_of_facts
from backups.listing import version_details
from backups.models import Backup
from jobs.models import Job
from projects.models import Project
from projects.services import create_project
from tests.staff import superuser

OLD = [
    ("backups", "0003_sweep"),
    ("jobs", "0003_checkpoint"),
    ("projects", "0002_purge_and_stored_answers"),
]
MANY = {f"table {number}": number for number in range(32_000)}


def size(facts: dict[str, Any]) -> int:
    return len(json.dumps(facts))


def test_facts_of_ordinary_length_are_kept_as_they_are() -> None:
    facts = {"encoding": "UTF-8", "tables": {"items": 3, "naïve": None}}
    assert bounded_facts(facts) == facts


@pytest.mark.parametrize("already", [0, 5])
def test_of_many_tables_those_that_fit_are_kept_and_the_others_counted(already: int) -> None:
    facts = {"encoding": "UTF-8", "structure_checked": True, "tables": MANY}
    kept = bounded_facts(facts | ({"tables_more": already} if already else {}))
    assert FACTS_BYTES * 0.9 < size(kept) <= FACTS_BYTES
    assert kept["tables"].items() <= MANY.items()
    assert len(kept["tables"]) + kept["tables_more"] == len(MANY) + already
    assert (kept["encoding"], kept["structure_checked"]) == ("UTF-8", True)


@pytest.mark.parametrize(
    "facts",
    [
        {"tables": {"n" * 30_000_000: 1, "items": 2}},
        {"damage": "d" * 1_000_000, "tables": MANY},
        {"values": ["v" * 10_000] * 100, "tables": MANY},
        {"n" * 100_000: 1, "unchecked": "u" * 100_000},
        {f"setting {number}": "s" * 400 for number in range(1000)} | {"damage": "d"},
        {"tables": {"\u20ac" * 4000: 1}, "damage": "\u20ac" * 8000},
    ],
    ids=["long name", "long damage", "many values", "long key", "many settings", "not ASCII"],
)
def test_whatever_is_long_the_row_stays_short(facts: dict[str, Any]) -> None:
    kept = bounded_facts(facts)
    assert size(kept) <= FACTS_BYTES
    if "damage" in facts:
        assert kept["damage"][:1] == facts["damage"][:1]
    columns = columns_of_facts(facts)
    assert len(columns["damage"]) <= TEXT_LENGTH
    assert len(columns["unchecked"]) <= TEXT_LENGTH


def test_nothing_found_is_null_and_never_an_empty_text() -> None:
    assert as_fields(Findings()) == {"damage": None, "unchecked": None}
    assert as_fields(Findings("broken", "a function")) == {
        "damage": "broken",
        "unchecked": "a function",
    }


@pytest.fixture
def project(db: None) -> Project:
    return create_project(name="One", owner=superuser())


def version(project: Project, number: int, **columns: Any) -> Backup:
    now = timezone.now()
    job = Job.objects.create(
        project=project, kind="backup_project", created_on=now, updated_on=now, hinted_on=now
    )
    told = {"completed_on": now, "manifest_key": "key", "created_on": now, "content_hash": "h"}
    return Backup.objects.create(project=project, version=number, job=job, **(told | columns))


@pytest.mark.parametrize(
    ("columns", "damage"),
    [
        ({}, None),
        ({"damage": "a broken page"}, "a broken page"),
        ({"storage_damage": "a pack is missing"}, "a pack is missing"),
        ({"damage": "a broken page", "storage_damage": "a pack is missing"}, "a pack is missing"),
    ],
)
def test_a_version_has_one_field_that_tells_of_damage(
    project: Project, columns: dict[str, str], damage: str | None
) -> None:
    details = version_details(version(project, 1, **columns))
    assert (details["damage"], details["unchecked"]) == (damage, None)


def test_what_is_found_out_of_a_content_is_told_of_each_version_that_has_it(
    project: Project,
) -> None:
    first, second = version(project, 1, unchecked="x"), version(project, 2, unchecked="x")
    other = version(project, 3, content_hash="other", unchecked="x")
    first.record_findings(Findings("a broken page", ""))
    for backup in (first, second, other):
        backup.refresh_from_db()
    assert [(one.damage, one.unchecked) for one in (first, second, other)] == [
        ("a broken page", ""),
        ("a broken page", ""),
        ("", "x"),
    ]


@pytest.fixture
def before_findings(transactional_db: None) -> Iterator[MigrationExecutor]:
    """Savepoint's own database as it was when versions had no findings of their own."""
    executor = MigrationExecutor(connection)
    executor.migrate(OLD)
    yield MigrationExecutor(connection)
    executor = MigrationExecutor(connection)
    executor.migrate(executor.loader.graph.leaf_nodes())


def test_the_migration_tells_of_old_versions_what_their_facts_say_and_cuts_these(
    before_findings: MigrationExecutor,
) -> None:
    apps = before_findings.loader.project_state(OLD).apps
    users, projects = apps.get_model("projects", "User"), apps.get_model("projects", "Project")
    jobs, backups = apps.get_model("jobs", "Job"), apps.get_model("backups", "Backup")
    now = timezone.now()
    owner = users.objects.create(username="owner")
    project = projects.objects.create(name="One", owner=owner, created_on=now)
    job = jobs.objects.create(
        project=project, kind="backup_project", created_on=now, updated_on=now, hinted_on=now
    )
    old: list[dict[str, Any]] = [
        {"facts": {"damage": "a broken page"}},
        {"facts": {"tables": {"t": 1}}},
        {"facts": {"tables": MANY, "structure_checked": True}, "damage": "a pack is missing"},
        {"completed_on": None, "facts": {}},
    ]
    for number, columns in enumerate(old, 1):
        told = {"completed_on": now, "manifest_key": "key", "created_on": now, "job": job}
        backups.objects.create(project=project, version=number, **(told | columns))
    before_findings.migrate([("backups", "0004_damage_of_databases")])
    found = Backup.objects.order_by("version")
    assert [(one.storage_damage, one.damage, bool(one.unchecked)) for one in found] == [
        ("", "a broken page", False),
        ("", "", True),
        ("a pack is missing", "", False),
        ("", "", False),
    ]
    assert found[1].facts == {"tables": {"t": 1}}
    assert size(found[2].facts) <= FACTS_BYTES

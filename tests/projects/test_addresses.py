"""Addresses of project databases: what they may be, and for whom they are sealed."""

from importlib import import_module

import pytest
from django.apps import apps
from django.core.exceptions import ImproperlyConfigured

from projects.databases import MANAGED, address_of, cipher, open_address
from projects.errors import InvalidAddress
from projects.models import Project
from projects.services import create_project, create_user, set_address

pytestmark = pytest.mark.django_db


@pytest.fixture
def projects() -> list[Project]:
    owner = create_user(username="owner", password="a long enough password")
    return [create_project(name=name, owner=owner) for name in ("One", "Two")]


def test_an_address_is_good_for_its_own_project_alone(projects: list[Project]) -> None:
    one, two = projects
    assert open_address(one) == MANAGED
    one.sealed_address = two.sealed_address
    with pytest.raises(ImproperlyConfigured):
        address_of(one)


def test_an_address_that_was_sealed_for_no_project_is_not_taken(projects: list[Project]) -> None:
    one, _ = projects
    one.sealed_address = cipher().encrypt(MANAGED.encode()).decode()
    with pytest.raises(ImproperlyConfigured):
        address_of(one)


def test_addresses_of_earlier_releases_are_bound_once(projects: list[Project]) -> None:
    migration = import_module("projects.migrations.0004_bind_addresses")
    lost = projects[1]
    projects[0].sealed_address = cipher().encrypt(MANAGED.encode()).decode()
    lost.sealed_address = "sealed with a key that is lost"
    for project in projects:
        project.save()
    for _ in range(2):
        migration.bind(apps, None)
        projects[0].refresh_from_db()
        assert open_address(projects[0]) == MANAGED
    migration.unbind(apps, None)
    projects[0].refresh_from_db()
    assert cipher().decrypt(projects[0].sealed_address.encode()) == MANAGED.encode()
    lost.refresh_from_db()
    assert lost.sealed_address == "sealed with a key that is lost"


@pytest.mark.parametrize("address", ["sqlite:////srv/a\0.db", "sqlite:////srv/\ud800.db", "\0"])
def test_an_address_with_impossible_characters_is_refused(
    projects: list[Project], address: str
) -> None:
    with pytest.raises(InvalidAddress):
        set_address(project=projects[0], address=address)
    with pytest.raises(InvalidAddress):
        create_project(owner=projects[0].owner, address=address)

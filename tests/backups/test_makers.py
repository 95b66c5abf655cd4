"""Whom a version is said to be made by."""

import pytest

from backups.models import Backup
from backups.services import create_backup
from projects.errors import InvalidParameters
from projects.models import Project
from projects.services import create_project, create_user
from tests.api import Api

pytestmark = pytest.mark.django_db(transaction=True)

HIDING = ["a\nb", "a\x1b[31mb", "a\u202eb", "\u2066me", "a\x7f", "a\u2028b", "\u200b", " "]


@pytest.fixture
def project() -> Project:
    return create_project(
        name="One", owner=create_user(username="owner", password="a long enough password")
    )


@pytest.mark.parametrize("maker", HIDING)
def test_a_maker_who_hides_what_they_are_is_refused(project: Project, maker: str) -> None:
    code, info = Api(project, project.owner).refused("backups/create", created_by=maker)
    assert (code, set(info)) == (400, {"created_by"})
    with pytest.raises(InvalidParameters):
        create_backup(project=project, requested_by=None, created_by=maker)
    assert not Backup.objects.exists()


@pytest.mark.parametrize("maker", ["José", "\u05d0\u05d1", "a \U0001f600", "n\u200dj", "x" * 200])
def test_every_name_that_can_be_shown_is_kept_as_it_is(project: Project, maker: str) -> None:
    Api(project, project.owner).call("backups/create", created_by=maker)
    assert Backup.objects.get().created_by == maker

"""People who use the admin, and what they see of it."""

from collections.abc import Callable

from django.contrib.auth.models import Permission
from django.db import connection
from django.http import HttpResponse
from django.test import Client
from django.test.utils import CaptureQueriesContext

from projects.models import User
from projects.services import create_user

PASSWORD = "a long enough password"


def superuser(username: str = "root") -> User:
    return create_user(username=username, password=PASSWORD, is_staff=True, is_superuser=True)


def staff(*permissions: str, username: str = "staff") -> User:
    """Somebody who may use the admin, with these permissions ("app.codename") only."""
    user = create_user(username=username, password=PASSWORD, is_staff=True)
    for permission in permissions:
        app, codename = permission.split(".")
        user.user_permissions.add(
            Permission.objects.get(content_type__app_label=app, codename=codename)
        )
    return user


def browser(user: User | None, **options: bool) -> Client:
    """A client signed in to the admin as this user, or not signed in."""
    client = Client(**options)
    if user is not None:
        client.force_login(user)
    return client


def text(response: HttpResponse) -> str:
    """The page, which must be a page."""
    assert response.status_code == 200, response
    return response.content.decode()


def messages(response: HttpResponse) -> str:
    """What the page that a followed request ended at tells the user."""
    return " ".join(str(message) for message in response.context["messages"])


def query_count(call: Callable[[], HttpResponse]) -> int:
    """How many queries a page takes, once caches are warm."""
    text(call())
    with CaptureQueriesContext(connection) as queries:
        text(call())
    return len(queries)

"""What browsers are told of our pages, and how long somebody stays signed in to them."""

from datetime import timedelta

import pytest
from django.contrib.sessions.models import Session
from django.test import Client
from django.utils import timezone

from tests.staff import PASSWORD, browser, superuser

pytestmark = pytest.mark.django_db


@pytest.mark.parametrize("path", ["/admin/login/", "/api/docs/", "/nowhere"])
def test_pages_run_no_scripts_but_ours_and_send_nothing_elsewhere(path: str) -> None:
    response = Client().get(path)
    policy = dict(item.split(" ", 1) for item in response["Content-Security-Policy"].split("; "))
    assert policy["default-src"] == policy["base-uri"] == policy["frame-ancestors"] == "'none'"
    assert policy["script-src"] == policy["connect-src"] == policy["form-action"] == "'self'"
    assert "camera=()" in response["Permissions-Policy"]


def test_only_the_page_that_needs_it_may_have_styles_of_its_own() -> None:
    assert "unsafe" not in Client().get("/admin/login/")["Content-Security-Policy"]
    assert "unsafe" in Client().get("/api/docs/")["Content-Security-Policy"]


def test_a_page_of_the_admin_has_the_policy() -> None:
    assert "Content-Security-Policy" in browser(superuser()).get("/admin/")


def test_whoever_does_nothing_is_signed_out_and_whoever_does_something_is_not() -> None:
    client = browser(superuser())
    Session.objects.update(expire_date=timezone.now() + timedelta(seconds=30))
    assert client.get("/admin/").status_code == 200
    left = Session.objects.get().expire_date - timezone.now()
    assert timedelta(minutes=59) < left <= timedelta(hours=1)
    Session.objects.update(expire_date=timezone.now() - timedelta(seconds=1))
    response = client.get("/admin/")
    assert (response.status_code, response["Location"][:13]) == (302, "/admin/login/")


def test_a_sign_in_that_was_on_its_way_nowhere_leads_to_the_admin() -> None:
    user = superuser()
    body = {"username": user.username, "password": PASSWORD}
    response = Client().post("/admin/login/", body)
    assert (response.status_code, response["Location"]) == (302, "/admin/")

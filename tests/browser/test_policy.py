"""The policy of our pages, as a real browser applies it."""

import pytest

from tests.browser.visitor import Visitor

pytestmark = pytest.mark.browser


def broken(visitor: Visitor) -> list[str]:
    """What the browser says that the policy kept from being done since it was asked last."""
    said = [str(entry["message"]) for entry in visitor.driver.get_log("browser")]
    return [message for message in said if "Content Security Policy" in message]


def test_no_page_of_ours_does_what_its_policy_forbids(admin: Visitor) -> None:
    for path in (
        "/admin/",
        "/admin/projects/project/",
        "/admin/projects/project/add/",
        "/admin/projects/apikey/add/",
        "/admin/projects/user/add/",
        "/admin/jobs/job/",
        "/admin/backups/backup/",
    ):
        admin.open(path)
        assert admin.has("#content"), path
        assert broken(admin) == [], path
    admin.open_project()
    assert broken(admin) == []


def test_the_description_of_the_api_is_shown(visitor: Visitor) -> None:
    visitor.open("/api/docs/")
    visitor.find(".opblock")
    assert broken(visitor) == []


def test_a_script_that_was_smuggled_in_does_not_run(visitor: Visitor) -> None:
    visitor.open("/admin/login/")
    visitor.driver.execute_script(
        "const script = document.createElement('script');"
        "script.textContent = 'window.smuggled = true';"
        "document.body.append(script);"
    )
    assert visitor.driver.execute_script("return window.smuggled") is None
    assert broken(visitor)

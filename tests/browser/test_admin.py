"""The admin as an administrator sees it, in a real browser on a running service."""

import secrets

import httpx
import pytest
from selenium.webdriver.common.by import By

from tests.browser.visitor import Visitor
from tests.content import content_of, execute
from tests.service import Service

pytestmark = pytest.mark.browser


def sign_in_with_key(service: Service, key: str) -> int:
    """The status with which the API answers to this key."""
    address = f"{service.url}/api/p/{service.project}/auth"
    return httpx.post(address, json={"api_key": key}).status_code


def back_up(admin: Visitor, name: str) -> str:
    """Press "Back up now", wait for its end; returns the version as the project's page lists it."""
    admin.open_project()
    project = admin.path
    admin.type("#back-up-name", name)
    admin.click(".back-up [type=submit]")
    assert admin.path == project
    admin.follow_job()
    admin.open(project)
    rows = admin.driver.find_elements(By.CSS_SELECTOR, ".versions tbody tr")
    [row] = [row for row in rows if name in row.text]
    assert row.find_element(By.CSS_SELECTOR, ".state-complete")
    assert admin.service.username in row.text
    version = row.get_attribute("data-version")
    assert version
    return version


def test_the_front_door_leads_to_the_sign_in_and_a_wrong_password_is_refused(
    visitor: Visitor, service: Service
) -> None:
    visitor.open("/")
    assert visitor.path == "/admin/login/"
    visitor.sign_in(service.username, "not the password")
    assert visitor.has(".errornote")
    visitor.sign_in(service.username, service.password)
    assert visitor.path == "/admin/"
    assert "Projects" in visitor.text


def test_a_version_is_made_at_the_press_of_a_button(admin: Visitor) -> None:
    name = f"By hand {secrets.token_hex(4)}"
    version = back_up(admin, name)
    admin.click(f".versions tr[data-version='{version}'] a")
    assert name in admin.text
    assert "complete" in admin.text
    admin.open(f"/admin/backups/backup/?q={name}")
    assert admin.has("#result_list .state-complete")


def test_the_list_of_projects_backs_up_those_selected(admin: Visitor, service: Service) -> None:
    admin.open(f"/admin/projects/project/?q={service.project}")
    admin.find("#result_list .action-select").click()
    admin.find("select[name=action] option[value=back_up_selected]").click()
    admin.click(".actions button[type=submit]")
    admin.follow_job()


def test_a_name_that_imitates_another_version_is_refused_in_words(admin: Visitor) -> None:
    admin.open_project()
    admin.type("#back-up-name", "backup 4711")
    admin.click(".back-up [type=submit]")
    assert "given by number only" in admin.find(".messagelist .error").text


def test_a_damaged_database_is_backed_up_only_when_that_is_ticked(
    admin: Visitor, service: Service
) -> None:
    gid, database = service.add_project(name="A damaged one")
    with database.open("r+b") as file:  # nobody has it open
        file.seek(4096 * 20)
        file.write(bytes(4096 * 3))
    for ticked, state in ((False, "failed"), (True, "damaged")):
        admin.open(f"/admin/projects/project/?q={gid}")
        admin.click("#result_list .field-name a")
        project = admin.path
        if ticked:
            admin.find(".back-up [name=keep_damaged]").click()
        admin.click(".back-up [type=submit]")
        admin.click(".messagelist .success a")
        admin.find(".field-state .state-done, .field-state .state-failed")
        admin.open(project)
        assert admin.has(f".versions tbody tr:first-child .state-{state}")


def test_a_restore_is_confirmed_and_brings_the_version_back(
    admin: Visitor, service: Service
) -> None:
    version = back_up(admin, f"To come back to {secrets.token_hex(4)}")
    before = content_of(service.database)
    execute(service.database, "DELETE FROM products WHERE id % 2 = 0 RETURNING id")
    assert content_of(service.database) != before

    admin.open_project()
    admin.click(f".versions tr[data-version='{version}'] td:last-child a")
    assert f"Restore Demo catalogue to version {version}?" in admin.text
    assert "SQLite, managed" in admin.text
    assert content_of(service.database) != before

    admin.click("#content form [type=submit]")
    admin.follow_job()
    assert content_of(service.database) == before


def test_a_new_api_key_is_shown_once(admin: Visitor, service: Service) -> None:
    name = f"Robot {secrets.token_hex(4)}"
    admin.open_project()
    admin.click(".object-tools .addlink")
    admin.type("#id_name", name)
    admin.click("#apikey_form [type=submit]")
    key = admin.find("#api-key").text
    assert key.startswith("sp_")
    assert name in admin.text
    assert sign_in_with_key(service, key) == 200

    admin.driver.refresh()
    assert key not in admin.driver.page_source
    admin.open_project()
    assert admin.text.count(name) == 1
    assert key not in admin.driver.page_source
    admin.driver.back()
    assert key not in admin.driver.page_source

    admin.open(f"/admin/projects/apikey/?q={name}")
    admin.click("#result_list .field-prefix a")
    admin.click(".object-tools button.danger")
    assert admin.has(".state-revoked")
    assert sign_in_with_key(service, key) == 401


def test_staff_without_permission_are_refused(visitor: Visitor, service: Service) -> None:
    username, password = f"staff-{secrets.token_hex(4)}", secrets.token_urlsafe(12)
    service.shell(
        "from projects.services import create_user\n"
        f"create_user(username={username!r}, password={password!r}, is_staff=True)"
    )
    visitor.sign_in(username, password)
    assert "permission" in visitor.text
    for path in ("projects/project/", "backups/backup/", "jobs/job/", "projects/apikey/add/"):
        visitor.open(f"/admin/{path}")
        assert "403 Forbidden" in visitor.text

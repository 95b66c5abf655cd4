"""People, projects, members and API keys in the admin."""

from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from django.contrib.admin.models import LogEntry
from django.contrib.sessions.models import Session
from django.urls import reverse
from django.utils import timezone

from jobs.models import Event
from projects.authentication import sign_in, sign_in_with_key
from projects.databases import address_of, seal_address
from projects.errors import NotAuthenticated
from projects.models import ApiKey, Membership, Project, User
from projects.services import create_api_key, create_project, create_user, remove_member, set_member
from tests.staff import PASSWORD, browser, messages, query_count, staff, superuser, text

pytestmark = pytest.mark.django_db

PEOPLE = reverse("admin:projects_user_changelist")
PROJECTS = reverse("admin:projects_project_changelist")
NEW_PERSON = reverse("admin:projects_user_add")
NEW_PROJECT = reverse("admin:projects_project_add")
NEW_KEY = reverse("admin:projects_apikey_add")
KEYS = reverse("admin:projects_apikey_changelist")


@pytest.fixture
def root() -> User:
    return superuser()


@pytest.fixture
def project(root: User) -> Project:
    return create_project(name="One", owner=root)


def person(username: str = "ada", **fields: Any) -> User:
    return create_user(username=username, password=PASSWORD, **fields)


def page(row: Any) -> str:
    return reverse(f"admin:projects_{row._meta.model_name}_change", args=[row.pk])


def events(since: int) -> list[tuple[str, str]]:
    """What was recorded after this cursor, as action and kind of thing."""
    found = Event.objects.filter(cursor__gt=since).order_by("cursor")
    return [(event.action, event.data_type) for event in found]


def now() -> int:
    newest = Event.objects.order_by("-cursor").first()
    return newest.cursor if newest else 0


def members_form(project: Project, *rows: dict[str, Any], **fields: Any) -> dict[str, Any]:
    """The project's form with its members: existing rows by their membership's id."""
    existing = [row for row in rows if "id" in row]
    form = {
        "name": project.name,
        "memberships-TOTAL_FORMS": len(rows),
        "memberships-INITIAL_FORMS": len(existing),
        "api_keys-TOTAL_FORMS": 0,
        "api_keys-INITIAL_FORMS": 0,
    }
    for number, row in enumerate(rows):
        for key, value in row.items():
            form[f"memberships-{number}-{key}"] = value
        form[f"memberships-{number}-project"] = project.pk
    return form | fields


# --- Who gets in ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "address", [PEOPLE, PROJECTS, KEYS, NEW_PERSON, NEW_PROJECT, NEW_KEY], ids=str
)
def test_pages_are_for_those_with_the_permission(address: str, root: User) -> None:
    assert text(browser(root).get(address))
    assert browser(staff()).get(address).status_code == 403
    nobody = browser(None).get(address)
    assert nobody.status_code == 302
    assert nobody["Location"].startswith("/admin/login/")


def test_who_is_not_staff_does_not_get_in_even_as_an_owner(project: Project) -> None:
    owner = person()
    owned = create_project(name="Owned", owner=owner)
    assert browser(owner).get(page(owned)).status_code == 302


def test_pages_of_rows_answer(project: Project, root: User) -> None:
    made = create_api_key(project=project, name="robot")
    for row in (root, project, made.api_key):
        assert text(browser(root).get(page(row)))
    assert text(browser(root).get(reverse("admin:index")))


def test_staff_who_may_only_look_get_pages_without_fields(project: Project) -> None:
    viewer = staff("projects.view_project", "projects.view_membership", "projects.view_apikey")
    seen = text(browser(viewer).get(page(project)))
    assert 'name="name"' not in seen
    assert 'name="address"' not in seen
    assert browser(viewer).post(page(project), {"name": "Mine"}).status_code == 403


# --- People ---------------------------------------------------------------------------------------


def test_a_person_is_made_and_it_is_recorded(root: User) -> None:
    since = now()
    form = {
        "username": "ada",
        "name": "Ada",
        "email": "ada@example.com",
        "usable_password": "true",
        "password1": PASSWORD,
        "password2": PASSWORD,
    }
    assert browser(root).post(NEW_PERSON, form).status_code == 302
    assert sign_in("ada", PASSWORD).name == "Ada"
    assert events(since) == [("INSERT", "cc.users")]


def test_a_changed_person_is_recorded(root: User) -> None:
    ada, since = person(), now()
    form = {"username": "ada", "name": "Ada", "email": ""}
    assert browser(root).post(page(ada), form).status_code == 302
    ada.refresh_from_db()
    assert (ada.name, ada.is_active) == ("Ada", False)
    assert events(since) == [("UPDATE", "cc.users")]


def test_a_new_password_is_recorded(root: User) -> None:
    ada, since = person(), now()
    address = reverse("admin:auth_user_password_change", args=[ada.pk])
    form = {
        "usable_password": "true",
        "password1": "another good one",
        "password2": "another good one",
    }
    assert browser(root).post(address, form).status_code == 302
    assert sign_in("ada", "another good one") == ada
    assert events(since) == [("UPDATE", "cc.users")]


def test_ones_own_new_password_is_recorded(root: User) -> None:
    since = now()
    form = {
        "old_password": PASSWORD,
        "new_password1": "another good one",
        "new_password2": "another good one",
    }
    client = browser(root)
    client.post(reverse("admin:password_change"), form | {"old_password": "wrong"})
    assert events(since) == []
    assert client.post(reverse("admin:password_change"), form).status_code == 302
    assert events(since) == [("UPDATE", "cc.users")]


def test_the_users_of_api_keys_are_no_people(project: Project, root: User) -> None:
    robot = create_api_key(project=project, name="robot").api_key.user
    client = browser(root)
    assert robot.username not in text(client.get(PEOPLE))
    assert client.get(page(robot)).status_code == 302
    assert client.post(page(robot), {"username": "robot"}).status_code == 302
    robot.refresh_from_db()
    assert robot.username.startswith("api-")
    lookup = {"app_label": "projects", "model_name": "membership", "field_name": "user"}
    found = client.get(reverse("admin:autocomplete"), lookup).json()["results"]
    assert [entry["text"] for entry in found] == ["root"]


def test_no_part_of_a_password_hash_is_shown(root: User) -> None:
    seen = text(browser(root).get(page(root)))
    *_, salt, digest = root.password.split("$")
    assert not any(part[:6] in seen for part in (salt, digest))


def test_the_history_of_a_page_names_who_changed_it(project: Project, root: User) -> None:
    client = browser(root)
    client.post(page(project), members_form(project, name="Renamed"))
    seen = text(client.get(reverse("admin:projects_project_history", args=[project.pk])))
    assert "root" in seen
    assert "Changed Name" in seen
    assert "None None" not in seen


def test_nobody_gives_himself_powers_or_takes_over_an_account_that_has_them(root: User) -> None:
    helper = staff("projects.change_user", "projects.view_user")
    client = browser(helper)
    form = {"username": "staff", "name": "", "email": "", "is_superuser": "on", "is_staff": "on"}
    client.post(page(helper), form)
    ada = person()
    assert client.post(page(ada), form | {"username": "ada"}).status_code == 302
    for user in (helper, ada):
        user.refresh_from_db()
        assert not user.is_superuser
    assert not ada.is_staff
    address = reverse("admin:auth_user_password_change", args=[root.pk])
    assert client.get(address).status_code == 403
    assert client.post(page(root), {"username": "mine"}).status_code == 403


# --- Projects -------------------------------------------------------------------------------------


def test_a_project_is_made_with_its_owner_and_database(root: User) -> None:
    ada, since = person(), now()
    form = {"name": "New", "owner": ada.pk, "address": "sqlite:managed"}
    assert browser(root).post(NEW_PROJECT, form).status_code == 302
    project = Project.objects.get(name="New")
    assert project.memberships.get(user=ada).role == Membership.Role.OWNER
    assert address_of(project).path.exists()
    assert sorted(events(since)) == [("INSERT", "cc.projects"), ("INSERT", "cc.projects_members")]


@pytest.mark.parametrize(
    "address", ["sqlite:////etc/passwd", "sqlite:///../../x", "postgres://u:pw@h/d", "nonsense"]
)
def test_a_bad_address_is_told_in_the_form(address: str, root: User) -> None:
    form = {"name": "New", "owner": root.pk, "address": address}
    assert "errorlist" in text(browser(root).post(NEW_PROJECT, form))
    assert not Project.objects.exists()


def test_a_superuser_points_a_project_at_a_file_below_the_roots(
    project: Project, root: User, settings: Any, tmp_path: Path
) -> None:
    settings.SQLITE_ROOTS = [tmp_path.resolve()]
    form = members_form(project, address=f"sqlite:///{tmp_path}/its.sqlite3")
    assert browser(root).post(page(project), form).status_code == 302
    project.refresh_from_db()
    assert address_of(project).path == tmp_path.resolve() / "its.sqlite3"


def test_other_staff_have_no_say_in_the_address(
    project: Project, root: User, settings: Any, tmp_path: Path
) -> None:
    settings.SQLITE_ROOTS = [tmp_path.resolve()]
    client = browser(staff("projects.add_project", "projects.change_project"))
    address = f"sqlite:///{tmp_path}/its.sqlite3"
    assert 'name="address"' not in text(client.get(page(project)))
    client.post(page(project), {"name": "One", "address": address})
    client.post(NEW_PROJECT, {"name": "Two", "owner": root.pk, "address": address})
    assert Project.objects.count() == 2
    assert all(address_of(each).managed for each in Project.objects.all())


def test_an_address_is_never_shown_with_what_could_be_a_secret(
    project: Project, root: User
) -> None:
    project.sealed_address = seal_address(
        "postgres://user:hunter2@db.example.com/data", project.gid
    )
    project.save()
    seen = text(browser(root).get(page(project)))
    assert "postgres" in seen
    assert not any(secret in seen for secret in ("hunter2", "db.example.com", "user:"))
    assert project.sealed_address not in seen


def test_a_new_name_is_recorded_and_no_other_save_is(project: Project, root: User) -> None:
    since = now()
    browser(root).post(page(project), members_form(project))
    assert events(since) == []
    browser(root).post(page(project), members_form(project, name="Renamed"))
    assert Project.objects.get().name == "Renamed"
    assert events(since) == [("UPDATE", "cc.projects")]


def test_projects_people_and_keys_are_not_deleted(project: Project, root: User) -> None:
    made = create_api_key(project=project, name="robot")
    for row in (project, made.api_key, person()):
        name = f"admin:projects_{row._meta.model_name}"
        client = browser(root)
        assert (
            client.post(reverse(f"{name}_delete", args=[row.pk]), {"post": "yes"}).status_code
            == 403
        )
        action = {"action": "delete_selected", "_selected_action": row.pk, "post": "yes"}
        client.post(reverse(f"{name}_changelist"), action)
        row.refresh_from_db()


# --- Members --------------------------------------------------------------------------------------


def test_members_are_added_changed_and_removed_and_it_is_recorded(
    project: Project, root: User
) -> None:
    client, ada = browser(root), person()
    own = {"id": project.memberships.get().pk}

    since = now()
    new = {"user": ada.pk, "role": "member", "status": "active"}
    assert client.post(page(project), members_form(project, own, new)).status_code == 302
    membership = project.memberships.get(user=ada)
    assert (membership.role, membership.status) == ("member", "active")
    assert events(since) == [("INSERT", "cc.projects_members")]

    for role, status, action in (
        ("viewer", "active", "UPDATE"),
        ("viewer", "removed", "DELETE"),
        ("member", "active", "INSERT"),
    ):
        since = now()
        row = {"id": membership.pk, "role": role, "status": status}
        assert client.post(page(project), members_form(project, own, row)).status_code == 302
        membership.refresh_from_db()
        assert (membership.role, membership.status) == (role, status)
        assert events(since) == [(action, "cc.projects_members")]


def test_the_owner_stays_the_owner_and_nobody_becomes_another(project: Project, root: User) -> None:
    own = project.memberships.get()
    ada = set_member(project=project, user=person(), role="member")
    client = browser(root)
    client.post(
        page(project),
        members_form(project, {"id": own.pk, "role": "viewer", "status": "removed"}),
    )
    refused = client.post(
        page(project),
        members_form(project, {"id": own.pk}, {"id": ada.pk, "role": "owner", "status": "active"}),
    )
    assert "errorlist" in text(refused)
    own.refresh_from_db()
    ada.refresh_from_db()
    assert (own.role, own.status) == ("owner", "active")
    assert ada.role == "member"


def test_only_people_who_can_sign_in_become_members(project: Project, root: User) -> None:
    robot = create_api_key(project=create_project(name="Two", owner=root), name="robot")
    gone = person("gone", is_active=False)
    for user in (robot.api_key.user, gone):
        form = members_form(project, {"user": user.pk, "role": "member"})
        assert "errorlist" in text(browser(root).post(page(project), form))
    assert project.memberships.count() == 1


def test_memberships_of_api_keys_are_not_shown_as_members(project: Project, root: User) -> None:
    create_api_key(project=project, name="robot")
    removed = set_member(project=project, user=person(), role="viewer")
    remove_member(membership=removed)
    seen = browser(root).get(page(project)).context["inline_admin_formsets"][0]
    assert [form.instance.user.username for form in seen.formset.initial_forms] == ["root", "ada"]


def test_staff_without_the_permission_do_not_change_members(project: Project) -> None:
    client, ada = browser(staff("projects.change_project", "projects.view_membership")), person()
    client.post(page(project), members_form(project, {"user": ada.pk, "role": "member"}))
    assert not project.memberships.filter(user=ada).exists()


# --- API keys -------------------------------------------------------------------------------------


def new_key(client: Any, project: Project, **fields: Any) -> Any:
    mark = client.get(f"{NEW_KEY}?project={project.pk}").context["mark"]
    form = {"project": project.pk, "name": "robot", "role": "viewer", "mark": mark} | fields
    return client.post(NEW_KEY, form), form


def test_a_new_key_works_and_is_shown_once_and_kept_nowhere(project: Project, root: User) -> None:
    client = browser(root)
    response, form = new_key(client, project)
    key = response.context["text"]
    assert key in text(response)
    assert "no-store" in response["Cache-Control"]
    user, api_key = sign_in_with_key(project.gid, key)
    assert api_key.project == project
    assert project.memberships.get(user=user).role == "viewer"

    secret = key.split("_", 2)[2]
    again = client.post(NEW_KEY, form, follow=True)
    assert ApiKey.objects.count() == 1
    assert "revoke it and make another" in messages(again)
    for address in (KEYS, page(api_key), page(project), NEW_KEY):
        seen = text(client.get(address))
        assert secret not in seen
        assert api_key.secret_hash not in seen
    assert secret not in str(client.cookies)
    assert not any(secret in str(session.get_decoded()) for session in Session.objects.all())
    logged = LogEntry.objects.values_list("object_repr", "change_message")
    assert logged.exists()
    assert secret not in str(list(logged))


def test_a_key_never_owns_a_project_nor_has_expired_before_its_first_use(
    project: Project, root: User
) -> None:
    past = timezone.now() - timedelta(days=2)
    for fields in (
        {"role": "owner"},
        {"name": " "},
        {"expires_on_0": past.date().isoformat(), "expires_on_1": "00:00:00"},
    ):
        response, _ = new_key(browser(root), project, **fields)
        assert "errorlist" in text(response)
    assert not ApiKey.objects.exists()


def test_a_key_made_with_an_expiry_expires(project: Project, root: User) -> None:
    later = timezone.now() + timedelta(days=2)
    fields = {"expires_on_0": later.date().isoformat(), "expires_on_1": "00:00:00"}
    new_key(browser(root), project, **fields)
    expires_on = ApiKey.objects.get().expires_on
    assert expires_on is not None
    assert timezone.now() < expires_on < later


@pytest.mark.parametrize("way", ["button", "action"])
def test_a_revoked_key_ends_at_once(way: str, project: Project, root: User) -> None:
    made = create_api_key(project=project, name="robot")
    client = browser(root)
    if way == "button":
        client.post(reverse("admin:projects_apikey_revoke", args=[made.api_key.pk]))
    else:
        client.post(KEYS, {"action": "revoke", "_selected_action": made.api_key.pk})
    with pytest.raises(NotAuthenticated):
        sign_in_with_key(project.gid, made.text)
    assert "revoked" in text(client.get(page(made.api_key)))


def test_to_make_and_to_revoke_keys_takes_the_permission_and_the_forms_token(
    project: Project, root: User
) -> None:
    made = create_api_key(project=project, name="robot")
    revoke = reverse("admin:projects_apikey_revoke", args=[made.api_key.pk])
    viewer = browser(staff("projects.view_apikey", "projects.view_project"))
    assert viewer.post(revoke).status_code == 403
    assert viewer.post(NEW_KEY, {}).status_code == 403
    viewer.post(KEYS, {"action": "revoke", "_selected_action": made.api_key.pk})
    stranger = browser(root, enforce_csrf_checks=True)
    assert stranger.post(revoke).status_code == 403
    assert stranger.post(NEW_KEY, {}).status_code == 403
    assert browser(root).get(revoke).status_code == 404
    assert sign_in_with_key(project.gid, made.text)


# --- Speed ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("address", [PEOPLE, PROJECTS, KEYS], ids=str)
def test_queries_of_a_list_do_not_grow_with_its_rows(address: str, root: User) -> None:
    def add(number: int) -> None:
        project = create_project(name=f"P{number}", owner=person(f"p{number}"))
        create_api_key(project=project, name="robot")

    add(0)
    few = query_count(lambda: browser(root).get(address))
    for number in range(1, 6):
        add(number)
    assert query_count(lambda: browser(root).get(address)) == few


def test_queries_of_a_projects_page_do_not_grow_with_its_members_and_keys(
    project: Project, root: User
) -> None:
    def add(number: int) -> None:
        set_member(project=project, user=person(f"p{number}"), role="member")
        create_api_key(project=project, name="robot")

    add(0)
    few = query_count(lambda: browser(root).get(page(project)))
    for number in range(1, 6):
        add(number)
    assert query_count(lambda: browser(root).get(page(project))) == few


# --- Names and guesses ----------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["a\u202eb", "\u200b", "\u2800", "Backup\x07"])
def test_a_name_that_hides_something_is_refused_by_every_form(
    name: str, project: Project, root: User
) -> None:
    client = browser(root)
    before = Project.objects.count(), ApiKey.objects.count()
    new = {"name": name, "owner": root.pk, "address": "sqlite:managed"}
    assert client.post(NEW_PROJECT, new).status_code == 200
    mark = {"mark": client.get(NEW_KEY).context["mark"]}
    key = {"project": project.pk, "name": name, "role": "member"} | mark
    assert client.post(NEW_KEY, key).status_code == 200
    assert client.post(page(project), members_form(project) | {"name": name}).status_code == 200
    project.refresh_from_db()
    assert project.name == "One"
    assert (Project.objects.count(), ApiKey.objects.count()) == before


def test_passwords_are_guessed_at_no_faster_than_by_the_api(root: User, settings: Any) -> None:
    settings.THROTTLE_RATES = settings.THROTTLE_RATES | {"sign_in_name": "3/m"}
    client = browser(None)
    guess = {"username": root.username, "password": "wrong"}
    login = reverse("admin:login")
    assert [client.post(login, guess).status_code for _ in range(3)] == [200] * 3
    refused = client.post(login, {"username": root.username, "password": PASSWORD})
    assert refused.status_code == 429
    assert int(refused["Retry-After"]) > 0
    assert client.post(login, guess | {"username": "somebody else"}).status_code == 200


def test_a_deleted_project_is_looked_at_only(project: Project, root: User) -> None:
    Project.objects.update(status=Project.Status.DELETED)
    client = browser(root)
    assert client.get(page(project)).status_code == 200
    response = client.post(page(project), members_form(project) | {"name": "Renamed"})
    assert response.status_code == 403
    project.refresh_from_db()
    assert project.name == "One"

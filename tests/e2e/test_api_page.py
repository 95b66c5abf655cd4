"""docs/api.md is true: each of its examples is called on a running service and answered alike."""

import json
import re
from typing import Any, NamedTuple

import httpx
import pytest

from config.openapi import entities
from config.openapi.calls.sign_in import KEY, SECRET
from tests.service import ROOT, Client, Service, has_ended
from tests.shapes import check, named

PAGE = (ROOT / "docs" / "api.md").read_text()


class Example(NamedTuple):
    """One endpoint of the page: its methods, its path, and the bodies of question and answer."""

    methods: list[str]
    path: str
    body: dict[str, Any] | None
    answer: dict[str, Any]


def examples() -> list[Example]:
    found = []
    for part in PAGE.split("\n### ")[1:]:
        heading = re.match(r"((?:GET|POST)(?: or POST)?) (/\S+)\n", part)
        if heading:
            text = part.partition("\n## ")[0]
            blocks = [
                json.loads(text) for text in re.findall(r"^```json\n(.*?)^```", text, re.M | re.S)
            ]
            if "```sh" in text:
                continue  # files: tests/e2e/test_files.py
            body = blocks[0] if len(blocks) == 2 else None
            found.append(Example(heading[1].split(" or "), heading[2], body, blocks[-1]))
    return found


class World:
    """What the examples speak of, made real."""

    def __init__(self, service: Service) -> None:
        service.shell(
            "from projects.services import create_user\n"
            f"create_user(username='ada', password={SECRET!r}, name='Ada')\n"
            f"create_user(username='ben', password={SECRET!r}, name='Ben')"
        )
        self.ada = Client(service.url, "")
        gid = self.ada.call("/api/login", username="ada", password=SECRET)["user"]
        ben = Client(service.url, "").call("/api/login", username="ben", password=SECRET)["user"]
        self.refresh = self.ada.call("/api/token/", username="ada", password=SECRET)["refresh"]
        self.real = {entities.USER_GID: gid, entities.MEMBER_GID: ben, entities.JWT: self.refresh}
        self.renew()

    def renew(self) -> None:
        """A fresh project, with versions up to the one that the examples name."""
        project = self.ada.call("/api/projects/create", name="Catalogue")["project"]
        made = self.ada.call(f"/api/p/{project}/api_keys/create", name="import", role="member")
        start = self.ada.cursor()
        jobs = [self.ada.create(project)["job.token"] for _ in range(entities.VERSION)]
        events = self.ada.poll(start, lambda event: has_ended(event, jobs[-1]))
        self.real |= {
            entities.PROJECT_GID: project,
            entities.JOB_TOKEN: jobs[-1],
            KEY: made["api_key"],
            entities.KEY_PREFIX: made["prefix"],
        }
        # The example asks for one event.
        self.cursor = events[-1]["cursor"] - 1

    def prepare(self, path: str) -> None:
        """What must have happened before the call."""
        project = self.real[entities.PROJECT_GID]
        if path in ("/api/projects/undelete", "/api/projects/permanent_delete"):
            self.ada.call("/api/projects/delete", project=project)
        if path == "/api/p/<gid>/members/remove":
            user = self.real[entities.MEMBER_GID]
            self.ada.call(f"/api/p/{project}/members/set", user=user, role="viewer")

    def made_real(self, value: Any) -> Any:
        if isinstance(value, dict):
            own = {"cc_cursor": self.cursor}
            return {name: own.get(name, self.made_real(item)) for name, item in value.items()}
        if isinstance(value, list):
            return [self.made_real(item) for item in value]
        return self.real.get(value, value) if isinstance(value, str) else value


@pytest.fixture(scope="module")
def world(service: Service) -> World:
    return World(service)


def alike(example: Any, answer: Any, place: str = "answer") -> None:
    """Fails where the answer has other keys or other types than the example."""
    if isinstance(example, str) and re.fullmatch(r"\(\w+\)", example):
        check(named(example.strip("()")), answer)
    elif isinstance(example, dict):
        assert isinstance(answer, dict), place
        if place.rpartition(".")[2] in ("users", "projects", "user_projects", "languages"):
            assert answer, place
            (one,) = example.values()
            for name, item in answer.items():
                alike(one, item, f"{place}[{name}]")
        else:
            assert set(answer) == set(example), place
            for name, item in example.items():
                alike(item, answer[name], f"{place}.{name}")
    elif isinstance(example, list):
        assert isinstance(answer, list), place
        assert bool(answer) == bool(example), place
        for item in answer:
            alike(example[0], item, f"{place}[]")
    elif isinstance(example, bool) or not isinstance(example, int | float):
        assert type(answer) is type(example), place
    else:
        assert isinstance(answer, int | float), place


def test_the_examples_are_found() -> None:
    assert len(examples()) > 25


@pytest.mark.parametrize("example", examples(), ids=lambda example: example.path)
def test_each_example_is_answered_as_it_is_shown(example: Example, world: World) -> None:
    for method in example.methods:
        world.prepare(example.path)
        path = example.path.replace("<gid>", world.real[entities.PROJECT_GID])
        body = None if example.body is None else world.made_real(example.body)
        response = httpx.request(
            method,
            world.ada.url + path,
            json=body,
            headers={"Authorization": f"Bearer {world.ada.token}"},
            timeout=30,
        )
        assert response.status_code == 200, response.text
        alike(example.answer, response.json())
    if "delete" in example.path:
        world.renew()


def test_the_error_on_the_page_is_answered_as_it_is_shown(world: World) -> None:
    shown = json.loads(re.findall(r"^```json\n(.*?)^```", PAGE, re.M | re.S)[0])
    project = world.real[entities.PROJECT_GID]
    answer = world.ada.post(f"/api/p/{project}/backups/create", {})
    assert answer.json() == shown


def test_the_errors_in_the_table_have_the_code_that_they_are_told_by() -> None:
    from config.errors import MESSAGES

    told = re.findall(r"^\| (\d{3,4}) \| ([^|]+) \|", PAGE, re.M)
    assert {int(code): message for code, message in told} == MESSAGES

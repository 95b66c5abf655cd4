"""The API in the tests' own process: the same views and envelope, no service to start."""

from typing import Any

from django.test import Client

from projects.models import Project, User
from projects.tokens import SessionToken


class Api:
    """A client of one project, signed in as this user."""

    def __init__(self, project: Project, user: User) -> None:
        self.project = project
        self._http = Client(headers={"Authorization": f"Bearer {SessionToken.begin(user)}"})

    def answer(self, path: str, **body: Any) -> dict[str, Any]:
        """The envelope that answers a call; a path without a slash is one of the project's."""
        if not path.startswith("/"):
            path = f"/api/p/{self.project.gid}/{path}"
        response = self._http.post(path, body, content_type="application/json")
        answer: dict[str, Any] = response.json()
        assert set(answer) == {"success", "result", "data"}
        return answer

    def call(self, path: str, **body: Any) -> dict[str, Any]:
        """The result of a call that must succeed."""
        answer = self.answer(path, **body)
        assert answer["success"], answer
        result: dict[str, Any] = answer["result"]
        return result

    def refused(self, path: str, **body: Any) -> tuple[int, dict[str, Any]]:
        """The code and the info of a call that must fail."""
        answer = self.answer(path, **body)
        assert not answer["success"], answer
        return answer["result"]["code"], answer["result"]["info"]

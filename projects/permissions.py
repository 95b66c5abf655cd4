"""Who calls, and the base of the views below /api/p/<gid>/."""

from collections.abc import Callable
from typing import Any, ClassVar

from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.throttling import BaseThrottle
from rest_framework.views import APIView

from projects import idempotency
from projects.access import gid_of, membership_for
from projects.models import Membership, Project, User


def caller(request: Request) -> User:
    """The user whose token came with this call."""
    assert isinstance(request.user, User)
    return request.user


class ProjectView(APIView):
    """A view of one project. `role` is the smallest role that may call it.

    Membership is checked before the body is read, so that a stranger learns nothing from the
    order of errors; and before the project's own throttles, so that they can't use up its share.
    `self.membership` holds the caller's.
    """

    role: ClassVar[str] = Membership.Role.VIEWER
    project_throttles: ClassVar[tuple[type[BaseThrottle], ...]] = ()
    membership: Membership

    def initial(self, request: Request, *args: Any, **kwargs: Any) -> None:
        super().initial(request, *args, **kwargs)
        self.membership = membership_for(self.user, gid_of(kwargs["gid"]), self.role)
        for throttle in (kind() for kind in self.project_throttles):
            if not throttle.allow_request(request, self):
                self.throttled(request, throttle.wait() or 1)

    @property
    def user(self) -> User:
        return caller(self.request)

    @property
    def project(self) -> Project:
        return self.membership.project

    def answer_once(
        self,
        make: Callable[[], dict[str, Any]],
        data: Callable[[dict[str, Any]], dict[str, Any]] = lambda result: {},
    ) -> Response:
        """The result that `make` brings, with its `data`; to a call repeated with its
        Idempotency-Key, the first result, with the data as they are now."""
        result = idempotency.result_once(
            user=self.user,
            path=self.request.path,
            key=self.request.headers.get(idempotency.HEADER),
            body=self.request.data,
            make=make,
        )
        return Response({"result": result, "data": data(result)})

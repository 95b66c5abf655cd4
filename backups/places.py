"""So many long transfers at once in a web process: each holds memory, threads and disk."""

import threading
from collections import Counter
from collections.abc import Hashable

from django.conf import settings
from rest_framework.exceptions import Throttled

from projects.models import Project, User

_RETRY_SECONDS = 10


class Places:
    """As many places as a setting says. No user, no project and no owner of projects has more
    than half of them, but each may have one."""

    def __init__(self, setting: str) -> None:
        self._setting = setting
        self._lock = threading.Lock()
        self._taken = 0
        self._held: Counter[Hashable] = Counter()

    def take(self, user: User, project: Project) -> "Place":
        """A place for a transfer of this project's, which is given back. Raises Throttled."""
        # A project has as many API users as its owner likes, and an owner as many projects.
        holders = ("user", user.pk), ("project", project.pk), ("owner", project.owner_id)
        with self._lock:
            places: int = getattr(settings, self._setting)
            most = max(1, places // 2)
            if self._taken >= places or any(self._held[holder] >= most for holder in holders):
                raise Throttled(wait=_RETRY_SECONDS)
            self._taken += 1
            self._held.update(holders)
        return Place(self, holders)

    def _give_back(self, holders: tuple[Hashable, ...]) -> None:
        with self._lock:
            self._taken -= 1
            self._held.subtract(holders)
            for holder in holders:
                if not self._held[holder]:
                    del self._held[holder]


class Place:
    """A place that is taken."""

    def __init__(self, places: Places, holders: tuple[Hashable, ...]) -> None:
        self._places = places
        self._holders = holders

    def give_back(self) -> None:
        """Leave it to others; to be called once."""
        self._places._give_back(self._holders)


downloads = Places("DOWNLOADS")
uploads = Places("UPLOADS")

"""So many long transfers at once in a web process: each holds memory, threads and disk."""

import threading

from django.conf import settings
from rest_framework.exceptions import Throttled

_RETRY_SECONDS = 10


class Places:
    """As many places as a setting says; nobody has more than half of them, but at least one."""

    def __init__(self, setting: str) -> None:
        self._setting = setting
        self._lock = threading.Lock()
        self._held: dict[int, int] = {}

    def take(self, holder: int) -> None:
        """A place for the user with this key, who gives it back. Raises Throttled."""
        with self._lock:
            places: int = getattr(settings, self._setting)
            held = self._held.get(holder, 0)
            if sum(self._held.values()) >= places or held >= max(1, places // 2):
                raise Throttled(wait=_RETRY_SECONDS)
            self._held[holder] = held + 1

    def give_back(self, holder: int) -> None:
        with self._lock:
            self._held[holder] -= 1
            if not self._held[holder]:
                del self._held[holder]


downloads = Places("DOWNLOADS")
uploads = Places("UPLOADS")

"""Finds what was lost: jobs of dead workers, jobs whose queue entry vanished, events too old."""

import logging
import threading
import time
from datetime import timedelta

from django.conf import settings
from django.db import connections
from django.utils import timezone
from django.utils.module_loading import import_string

from jobs import events, lifecycle, queue, shares
from jobs.worker import end_lost_worker
from projects import idempotency

logger = logging.getLogger(__name__)

# A queue entry that nobody has taken nor claimed for so long is looked for.
HINT_AGE = timedelta(seconds=5)
TRIM_SECONDS = 600


def reap() -> None:
    """Recover the jobs whose lease ran out; put waiting jobs on the queue that are not there."""
    for job in lifecycle.expired().select_related("project"):
        end_lost_worker(job.worker, job.token)
        if lifecycle.recover(job):
            logger.warning("job %s lost its worker %s", job.token, job.worker)
    waiting = shares.claimable().filter(hinted_on__lt=timezone.now() - HINT_AGE)
    # Entries are taken in their order: one older than all that wait has been taken, or was lost.
    oldest = queue.oldest_waiting()
    for job in waiting.order_by("pk"):
        if oldest is None or job.hinted_on < oldest:
            lifecycle.put_again(job)


def keep_house() -> None:
    """Do what other apps want done now and then; what fails keeps nothing else from being done."""
    for name in settings.HOUSEKEEPING:
        try:
            import_string(name)()
        except Exception:
            logger.exception("the housekeeping %s failed", name)


class Reaper:
    """Reaps every few seconds in a thread of the process that keeps a cluster."""

    def __init__(self) -> None:
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._reap, name="reaper", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        self._stop.set()
        self._thread.join(timeout=5)

    def _reap(self) -> None:
        trimmed_at = kept_at = float("-inf")
        while not self._stop.wait(settings.REAPER_SECONDS):
            try:
                reap()
                if time.monotonic() - trimmed_at > TRIM_SECONDS:
                    events.trim()
                    idempotency.forget_old()
                    trimmed_at = time.monotonic()
                if time.monotonic() - kept_at > settings.HOUSEKEEPING_SECONDS:
                    kept_at = time.monotonic()
                    keep_house()
            except Exception:
                # The database is away, perhaps; the next round finds the same work.
                logger.exception("a round of the reaper failed")
                connections.close_all()

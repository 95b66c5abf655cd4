"""Keeps a running job's lease, from a thread beside the work."""

import logging
import os
import threading
import time
from types import TracebackType

from django.conf import settings
from django.db import Error, connections

from jobs import lease, lifecycle
from jobs.errors import Cancelled, JobStopped
from jobs.run import Run

logger = logging.getLogger(__name__)

# A listener hears of a working job at least once in five seconds.
SILENCE_SECONDS = 4.0
TICK_SECONDS = 0.5
EXIT_STALLED = 70


class Heartbeat:
    """While it is entered, the run's lease is renewed and long silence is broken.

    Work that moves nothing for too long is ended with a reason. As it may hang where no exception
    reaches it, its process ends too; the cluster starts another one.
    """

    def __init__(self, run: Run) -> None:
        self.run = run
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._beat, name="heartbeat", daemon=True)

    def __enter__(self) -> "Heartbeat":
        self._thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._stop.set()
        self._thread.join()

    def _beat(self) -> None:
        renewed_at = time.monotonic()
        try:
            while not self._stop.wait(min(TICK_SECONDS, settings.JOB_HEARTBEAT_SECONDS)):
                now = time.monotonic()
                try:
                    if now - self.run.moved_at > settings.JOB_STALL_SECONDS:
                        self._end_stalled()
                    elif now - self.run.reported_at > SILENCE_SECONDS:
                        self.run.report()
                        renewed_at = now
                    elif now - renewed_at >= settings.JOB_HEARTBEAT_SECONDS:
                        lease.renew(self.run.claim)
                        renewed_at = now
                except Cancelled as error:
                    # The lease is kept while the work is undone.
                    self.run.stopped = error
                    renewed_at = now
                except JobStopped as error:
                    self.run.stopped = error
                    return
                except Error:
                    # Not fatal by itself: if it lasts, the lease runs out and the job is fenced.
                    logger.warning("the lease could not be renewed", exc_info=True)
                    connections.close_all()
        finally:
            connections.close_all()

    def _end_stalled(self) -> None:
        seconds = round(settings.JOB_STALL_SECONDS)
        lifecycle.fail(self.run.claim, f"nothing moved for {seconds} seconds")
        logger.critical("job %s hangs: its worker process ends", self.run.job.token)
        logging.shutdown()
        os._exit(EXIT_STALLED)

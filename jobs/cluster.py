"""A worker cluster as a child of the supervisor: started, watched, drained."""

import logging
import os
import secrets
import time

from django.conf import settings
from django.db import close_old_connections

from jobs import queue
from jobs.models import Job
from jobs.run import draining_mark
from jobs.supervisor import Child, Supervisor, python
from jobs.tasks import life_mark
from jobs.worker import CLUSTER_VARIABLE, SUPERVISOR_VARIABLE, started_at

logger = logging.getLogger(__name__)

STOP_SECONDS = 20.0


class Cluster:
    """One django-q2 cluster and the watch over it.

    A SIGKILL that hits one of its idle workers wedges a cluster for good: the dead worker holds
    the lock of the queue that all workers share (django-q2 issue 23, open). So a canary task,
    addressed to this cluster alone, must come back now and then while a worker is free.
    """

    def __init__(self) -> None:
        self.name = f"{os.getpid()}-{secrets.token_hex(4)}"
        self.child = Child(
            name="worker cluster",
            command=python("manage.py", "qcluster"),
            environment={
                CLUSTER_VARIABLE: self.name,
                SUPERVISOR_VARIABLE: f"{os.getpid()}:{started_at(os.getpid())}",
                "DATABASE_CONN_MAX_AGE": "60",
            },
            stop_seconds=STOP_SECONDS,
            before_stop=self.drain,
        )
        self._canary_at = 0.0
        self._free_since = time.monotonic()

    def drain(self) -> None:
        """Tell the running jobs to undo what they began and go back to the queue."""
        draining_mark(self.name).touch()

    def clear(self) -> None:
        """Remove this cluster's marks and its canary."""
        draining_mark(self.name).unlink(missing_ok=True)
        life_mark(self.name).unlink(missing_ok=True)
        queue.remove_canary(self.name)

    def watch(self, supervisor: Supervisor) -> None:
        """One look at the cluster; restarts it when it is wedged. Call it every round."""
        now = time.monotonic()
        if now - self._canary_at < settings.CANARY_SECONDS or self.child.process is None:
            return
        self._canary_at = now
        close_old_connections()
        try:
            if self._shows_life() or self._is_busy():
                self._free_since = max(now, self.child.started_at)
            elif now - max(self._free_since, self.child.started_at) > settings.WEDGED_SECONDS:
                logger.error("the worker cluster takes no tasks any more: it is restarted")
                supervisor.restart(self.child)
                self._free_since = now
            queue.put_canary(self.name)
        except Exception:
            # A canary that was not put can't come back: that is no sign of a wedged cluster.
            self._free_since = now
            logger.warning("the cluster could not be looked at", exc_info=True)

    def _shows_life(self) -> bool:
        try:
            age = time.time() - life_mark(self.name).stat().st_mtime
        except FileNotFoundError:
            return False
        return age < 2 * settings.CANARY_SECONDS

    def _is_busy(self) -> bool:
        running = Job.objects.filter(
            status=Job.Status.PROCESSING, worker__contains=f":{self.name}:"
        )
        return running.count() >= settings.WORKERS

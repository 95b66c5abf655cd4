"""What workers run. The one place that catches everything that a job can raise."""

import logging
from collections.abc import Callable
from pathlib import Path

from django.conf import settings
from django.db import Error
from django.utils.module_loading import import_string

from jobs import lease, lifecycle
from jobs.errors import Cancelled, Draining, JobFailed, LeaseLost
from jobs.heartbeat import Heartbeat
from jobs.run import Run, is_draining
from jobs.worker import give_way, worker_name, working_on

logger = logging.getLogger(__name__)


def life_mark(cluster: str) -> Path:
    """The file whose time of change is this cluster's last sign of life."""
    return Path(settings.RUN_DIR) / f"{cluster}.alive"


def show_life(cluster: str) -> None:
    """Show that this cluster's workers take and do tasks."""
    mark = life_mark(cluster)
    mark.parent.mkdir(parents=True, exist_ok=True)
    mark.touch()


def run_job(token: str) -> None:
    """Claim the job with this token and do it; return quietly if it is not to be done (now)."""
    if is_draining():
        return
    claim = lifecycle.claim(token, worker_name())
    if claim is None:
        return
    try:
        _run(claim)
    except LeaseLost:
        logger.warning("job %s is another worker's now; left", token)


def _run(claim: lease.Claim) -> None:
    token = claim.job.token
    run = Run(claim)
    try:
        function: Callable[[Run], None] = import_string(settings.JOB_TASKS[claim.job.kind])
        with working_on(token), Heartbeat(run):
            give_way()
            function(run)
    except LeaseLost:
        raise
    except Draining:
        lifecycle.give_back(claim)
    except Cancelled:
        lifecycle.fail(claim, lifecycle.CANCELLED)
    except Error:
        # Savepoint's own database is away. What the work did elsewhere may be in force already, so
        # it must not be called failed: the lease runs out, and the next attempt finds out.
        logger.exception("job %s was left when the database failed", token)
    except JobFailed as error:
        logger.info("job %s failed: %s", token, error.reason)
        lifecycle.fail(claim, error.reason)
    except BaseException as error:
        # SystemExit included: the queue's time limit arrives as one.
        logger.exception("job %s failed", token)
        lifecycle.fail(claim, f"an internal error; look for {token} in the server's log")
        if not isinstance(error, Exception):
            raise

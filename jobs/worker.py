"""A worker process: what it is called in a job's row, and how a lost one is ended.

A worker that is frozen, and not dead, still holds its locks on the project's database, and would go
on where it stood. So before its job is given to another one, the reaper of its machine ends it; but
only while the process says that it works on that very job, as an idle worker must not be killed.
"""

import logging
import os
import signal
import socket
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from uuid import UUID

from django.conf import settings

logger = logging.getLogger(__name__)

# The name of the cluster that a process belongs to, in its environment.
CLUSTER_VARIABLE = "SAVEPOINT_CLUSTER"
# The supervisor's pid and when it was started, in the environment of what it starts.
SUPERVISOR_VARIABLE = "SAVEPOINT_SUPERVISOR"


def give_way() -> None:
    """Let this thread, and those that it begins, have the processors after the programs whose
    databases are worked on."""
    present = os.getpriority(os.PRIO_PROCESS, 0)
    if present < settings.WORKER_NICE:
        os.setpriority(os.PRIO_PROCESS, 0, settings.WORKER_NICE)


def worker_name() -> str:
    """This worker as it stands in a job's row: host:cluster:process."""
    cluster = os.environ.get(CLUSTER_VARIABLE, "")
    return f"{socket.gethostname()}:{cluster}:{os.getpid()}"


def started_at(pid: int) -> str | None:
    """When the process was started (clock ticks since boot); None when there is none.

    With the pid it names one process for ever. Field 22 of /proc/<pid>/stat, see proc(5).
    """
    try:
        stat = Path(f"/proc/{pid}/stat").read_text()
    except OSError:
        return None
    fields = stat.rpartition(")")[2].split()
    # A zombie has ended and holds nothing any more.
    return None if fields[0] == "Z" else fields[19]


def supervisor_is_gone() -> bool:
    """Whether this process belongs to a cluster whose supervisor and leader have both died.

    The kernel ends the leader with the supervisor, but nothing ends the rest when a kill hits both.
    """
    supervisor = os.environ.get(SUPERVISOR_VARIABLE)
    if not supervisor:
        return False
    pid, _, started = supervisor.partition(":")
    return started_at(int(pid)) != started and started_at(os.getpgrp()) is None


def end_own_cluster() -> None:
    """Kill this process's whole group: an orphan cluster takes jobs that nobody watches."""
    logger.critical("the supervisor of this cluster is gone: it ends")
    logging.shutdown()
    os.killpg(os.getpgrp(), signal.SIGKILL)


def _note(pid: int) -> Path:
    return Path(settings.RUN_DIR) / "working" / str(pid)


@contextmanager
def working_on(token: UUID) -> Iterator[None]:
    """Say, for the reaper, that this process works on this job."""
    note = _note(os.getpid())
    try:
        note.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        note.write_text(f"{token} {started_at(os.getpid())}")
    except OSError:
        # Only a frozen worker would need it; the work itself does not.
        logger.warning("what this worker works on could not be noted", exc_info=True)
    try:
        yield
    finally:
        with suppress(OSError):
            note.unlink()


def end_lost_worker(name: str, token: UUID) -> None:
    """Kill the worker of this name if it is on this machine and still at this job."""
    host, _, rest = name.partition(":")
    pid = rest.rpartition(":")[2]
    if host != socket.gethostname() or not pid.isdecimal():
        return
    try:
        noted = _note(int(pid)).read_text()
    except OSError:
        return
    if noted == f"{token} {started_at(int(pid))}":
        logger.warning("worker %s is lost: it is ended before its job is given on", name)
        os.kill(int(pid), signal.SIGKILL)
        _note(int(pid)).unlink(missing_ok=True)

"""Wrong set-ups of the queue and the jobs, found by `manage.py check` and at every start."""

from typing import Any

from django.conf import settings
from django.core.checks import CheckMessage, Error, register
from django.utils.module_loading import import_string


@register()
def check_kinds(**kwargs: Any) -> list[CheckMessage]:
    """Each kind of job, and of housekeeping, must name a function that exists."""
    found: list[CheckMessage] = []
    for kind, name in settings.JOB_TASKS.items():
        if reason := _why_not_callable(name):
            hint = "JOB_TASKS maps a kind of job to the dotted name of a function."
            found.append(Error(f"the job {kind!r}: {reason}", hint=hint, id="jobs.E001"))
        if kind not in settings.JOB_RIGHTS:
            hint = "JOB_RIGHTS says what whoever asked for it must still be allowed."
            found.append(Error(f"the job {kind!r} has no right", hint=hint, id="jobs.E007"))
    for name in settings.HOUSEKEEPING:
        if reason := _why_not_callable(name):
            hint = "HOUSEKEEPING has dotted names of functions."
            found.append(Error(f"the housekeeping: {reason}", hint=hint, id="jobs.E006"))
    return found


def _why_not_callable(name: str) -> str:
    """What is wrong with the dotted name of a function; empty for nothing."""
    try:
        function = import_string(name)
    except ImportError as error:
        return str(error)
    return "" if callable(function) else f"{name} can't be called"


@register()
def check_times(**kwargs: Any) -> list[CheckMessage]:
    """Leases must outlast heartbeats, and the queue's own limits every job."""
    found: list[CheckMessage] = []
    if settings.JOB_LEASE_SECONDS < 3 * settings.JOB_HEARTBEAT_SECONDS:
        found.append(
            Error(
                "JOB_LEASE_SECONDS is less than three times JOB_HEARTBEAT_SECONDS",
                hint="One heartbeat that comes late must not cost a worker its job.",
                id="jobs.E002",
            )
        )
    queue: dict[str, Any] = settings.Q_CLUSTER
    if queue["timeout"] >= queue["retry"] or not queue["ack_failures"]:
        found.append(
            Error(
                "Q_CLUSTER would run tasks twice",
                hint="retry must be longer than timeout, and ack_failures must be True.",
                id="jobs.E003",
            )
        )
    found += [
        Error(f"{name} must be at least 1", id="jobs.E004")
        for name in ("WORKERS", "JOB_ATTEMPTS", "LISTENER_QUEUE", "EVENTS_KEEP_DAYS")
        if getattr(settings, name) < 1
    ]
    for name in sorted(set(dir(settings))):
        if name.endswith("_SECONDS") and not name.startswith("SECURE_"):
            seconds = getattr(settings, name)
            # Grace may be none at all.
            if seconds < 0 or (not seconds and not name.endswith("_GRACE_SECONDS")):
                least = "at least 0" if name.endswith("_GRACE_SECONDS") else "more than 0"
                found.append(Error(f"{name} must be {least}", id="jobs.E005"))
    return found

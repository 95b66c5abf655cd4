"""How a job can end before its time, and what can be wrong with reading its events."""


class JobFailed(Exception):
    """The job can't succeed; `reason` is fit for a user, free of secrets."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


class JobStopped(Exception):
    """The job must stop at once and undo what it began; not a failure of what it does."""


class LeaseLost(JobStopped):
    """Another worker may hold this job now: this one must not commit anything."""


class Cancelled(JobStopped):
    """Somebody asked for the job to be stopped: it ends with an error that says so."""


class Draining(JobStopped):
    """The cluster is stopping: the job goes back to the queue."""


class ProjectBusy(Exception):
    """A job of the project runs, beside which nothing else may be done."""


class JobUnknown(Exception):
    """The project has no job with this token."""

    def __init__(self, token: str) -> None:
        super().__init__(token)
        self.token = token


class CursorUnknown(Exception):
    """The cursor is older than the log, or ahead of it: the reader must start anew."""

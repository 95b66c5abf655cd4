"""A version put into a project's database: with effect once, however often its job is attempted.

A worker may be lost between the commit on the database and the end of its job. The next attempt
must not write again: what clients have written since would be lost.
"""

from collections.abc import Iterator
from contextlib import contextmanager

from backups import pipeline, targets
from backups.errors import DatabaseBusy
from backups.pipeline import Keep, ProjectStore
from backups.tasks.failures import reasons_for_users
from jobs.errors import JobFailed
from jobs.run import Run


def took_effect(run: Run) -> bool:
    """Whether an earlier attempt of this job took effect. Raises JobFailed."""
    earlier = run.job.checkpoint
    if not earlier:
        return False
    with _reasons(run):
        return targets.engine_of(run.job.project).holds(earlier)


def put_in_force(
    run: Run, project_store: ProjectStore, manifest_key: str, *, keep: Keep | None = None
) -> None:
    """Make the database of the job's project hold a version, in place, all or nothing.

    `project_store`: where the version is stored. `keep`: see `pipeline.restore`. Raises JobFailed,
    or a JobStopped.
    """
    with _reasons(run):
        targets.note_rights(run.job.project)
        pipeline.restore(
            targets.engine_of(run.job.project),
            project_store,
            manifest_key,
            keep=keep,
            before_commit=run.save_checkpoint,
            progress=run.progress,
        )


@contextmanager
def _reasons(run: Run) -> Iterator[None]:
    try:
        with reasons_for_users():
            yield
    except JobFailed as failure:
        if run.job.checkpoint and isinstance(failure.__cause__, DatabaseBusy):
            # Whoever holds the lock may be the earlier attempt, at its commit.
            reason = "an earlier attempt may still hold the database, and take effect"
            raise JobFailed(reason) from failure
        raise

"""The job that deletes what none of a project's versions needs any more."""

import logging
from collections.abc import Mapping, Sequence
from dataclasses import asdict

from django.conf import settings

from backups import targets
from backups.errors import SourceError
from backups.models import Backup, Sweep
from backups.store.sweep import sweep
from backups.tasks.failures import reasons_for_users
from jobs.run import Run

logger = logging.getLogger(__name__)


def sweep_project(run: Run) -> None:
    """Sweep the project's part of the storage, and what killed workers left of temporary files."""
    project = run.job.project
    grace = settings.SWEEP_GRACE_SECONDS
    with reasons_for_users():
        swept = sweep(targets.store_of(project), _Listed(run), grace=grace, progress=run.progress)
    try:
        targets.engine_of(project).remove_leftovers(grace=grace)
    except SourceError as error:
        # Of no harm, and no reason to call the sweep failed.
        logger.warning("leftovers beside the database of %s: %s", project.gid, error.reason)
    with run.completion():
        Sweep.objects.create(job=run.job, **asdict(swept))
    logger.info("swept %s: %s", project.gid, swept)


class _Listed:
    """See `backups.store.sweep.Listing`."""

    def __init__(self, run: Run) -> None:
        self._run = run
        self._all = Backup.objects.filter(project=run.job.project)
        self._backups = self._all.stored()

    def knows(self, version: int) -> bool:
        """Whether there is a row of this version, whatever became of it."""
        return self._all.filter(version=version).exists()

    def manifest_keys(self) -> Sequence[str]:
        """The manifests' keys of the project's versions."""
        return list(self._backups.order_by("version").values_list("manifest_key", flat=True))

    def confirm(self) -> None:
        """Raises LeaseLost or Cancelled."""
        self._run.confirm()

    def switch(self, keys: Mapping[str, str]) -> None:
        """Raises LeaseLost or Cancelled, with nothing changed."""
        with self._run.confirmed():
            for old, new in keys.items():
                self._backups.filter(manifest_key=old).update(manifest_key=new)

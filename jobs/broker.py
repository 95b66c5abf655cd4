"""The queue's broker: django-q2's rows in Savepoint's own database, with a bell.

Rows are in the same database as the jobs, so that a job and its queue entry are committed together
or not at all. Beyond the ORM broker of django-q2: entries are taken in order, a waiting cluster is
woken at once instead of looking every `poll` seconds, the clocks of two machines need not agree,
and an entry can be addressed to one cluster.
"""

import os
from datetime import timedelta
from typing import Any

from django.db import close_old_connections, transaction
from django.utils import timezone
from django_q.brokers.orm import ORM
from django_q.conf import Conf
from django_q.models import OrmQ

from jobs import bell
from jobs.worker import CLUSTER_VARIABLE, end_own_cluster, supervisor_is_gone

# An entry is due from its making on, even where the maker's clock is ahead of the worker's.
BACKDATED = timedelta(days=1)


def queue_key(cluster: str | None = None) -> str:
    """The key of entries for any cluster, or for this one alone."""
    return f"{Conf.CLUSTER_NAME}:{cluster}" if cluster else str(Conf.CLUSTER_NAME)


class BellBroker(ORM):
    """Named in the settings; made by django-q2 in each process that uses the queue."""

    _bell: bell.Bell | None = None

    def enqueue(self, task: str) -> int:
        with transaction.atomic(using=Conf.ORM):
            row = OrmQ.objects.using(Conf.ORM).create(
                key=self.list_key, payload=task, lock=timezone.now() - BACKDATED
            )
            transaction.on_commit(lambda: bell.ring(bell.WORKERS), using=Conf.ORM, robust=True)
        return int(row.pk)

    def dequeue(self) -> list[tuple[int, str]] | None:
        if self._bell is None:
            self._bell = bell.Bell(bell.WORKERS)
        if supervisor_is_gone():
            end_own_cluster()
        close_old_connections()
        keys = [queue_key()]
        if cluster := os.environ.get(CLUSTER_VARIABLE):
            keys.append(queue_key(cluster))
        rows = OrmQ.objects.using(Conf.ORM)
        for row in rows.filter(key__in=keys, lock__lt=timezone.now()).order_by("pk")[: Conf.BULK]:
            if rows.filter(pk=row.pk, lock=row.lock).update(lock=self.timeout(row)):
                return [(row.pk, row.payload)]
            return None  # another cluster was faster: look again at once
        self._bell.wait(Conf.POLL)
        return None

    def delete(self, task_id: int) -> Any:
        return OrmQ.objects.using(Conf.ORM).filter(pk=task_id).delete()

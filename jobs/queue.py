"""The only door to the queue: one dotted string, one token.

An entry is a hint that a job can be claimed; the job's row is the truth.
"""

from datetime import datetime

from django.utils import timezone
from django_q.models import OrmQ
from django_q.tasks import async_task

from jobs.broker import BACKDATED, queue_key


def put(token: str) -> None:
    """Tell the workers to run this job. In a transaction: when, and only if, it commits."""
    async_task("jobs.tasks.run_job", token, task_name=token)


def put_canary(cluster: str) -> None:
    """Ask this cluster, and no other, for a sign of life. Replaces one still waiting."""
    remove_canary(cluster)
    async_task("jobs.tasks.show_life", cluster, cluster=queue_key(cluster))


def remove_canary(cluster: str) -> None:
    """Take back what was asked of a cluster that is gone."""
    OrmQ.objects.filter(key=queue_key(cluster)).delete()


def oldest_waiting() -> datetime | None:
    """When the oldest of the entries was made that no cluster has taken yet; None without any."""
    waiting = OrmQ.objects.filter(key=queue_key(), lock__lte=timezone.now()).order_by("pk")
    lock: datetime | None = waiting.values_list("lock", flat=True).first()
    return lock + BACKDATED if lock else None

"""The only door to the queue: one dotted string, one token.

An entry is a hint that a job can be claimed; the job's row is the truth.
"""

from django.utils import timezone
from django_q.models import OrmQ
from django_q.tasks import async_task

from jobs.broker import queue_key


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


def has_waiting() -> bool:
    """Whether there are entries that no cluster has taken yet."""
    return bool(OrmQ.objects.filter(key=queue_key(), lock__lte=timezone.now()).exists())

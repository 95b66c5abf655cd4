"""The numbers of versions."""

from django.db.models import F

from backups.models import VersionCounter
from projects.models import Project


def next_version(project: Project) -> int:
    """Take the project's next version number. The caller has locked the project's row."""
    counter, _ = VersionCounter.objects.get_or_create(project=project)
    VersionCounter.objects.filter(pk=counter.pk).update(next_version=F("next_version") + 1)
    return counter.next_version

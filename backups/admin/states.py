"""What the admin tells of a version's state."""

from typing import Any

from django.contrib import admin
from django.db.models import Q, QuerySet
from django.http import HttpRequest
from django.utils.html import format_html
from django.utils.safestring import SafeString

from backups.models import Backup
from jobs.admin import reason
from jobs.models import Job
from projects.admin.columns import NOTHING, badge, moment
from projects.models import Project

STATES = {
    Backup.State.PENDING: Q(completed_on=None, deleted_on=None, job__status__in=Job.ACTIVE),
    Backup.State.COMPLETE: Q(completed_on__isnull=False, deleted_on=None),
    Backup.State.FAILED: Q(completed_on=None, deleted_on=None) & ~Q(job__status__in=Job.ACTIVE),
    Backup.State.DELETED: Q(deleted_on__isnull=False),
}


def is_restorable(backup: Backup) -> bool:
    return backup.state == Backup.State.COMPLETE and backup.project.status == Project.Status.ACTIVE


def state_badge(backup: Backup) -> SafeString:
    """The version's state; of one that is complete, also what is known of its database."""
    if backup.state != Backup.State.COMPLETE:
        return badge(backup.state, title=reason(backup.job))
    findings = backup.findings
    if findings.damage:
        return badge("damaged", title=findings.damage)
    complete = badge(backup.state)
    if findings.unchecked:
        unchecked = badge("unchecked", "not fully checked", findings.unchecked)
        return format_html("{} {}", complete, unchecked)
    return complete


def check_badge(backup: Backup) -> SafeString | str:
    """What the last verification found of what is stored."""
    if backup.storage_damage:
        return badge("damaged", title=backup.storage_damage)
    if backup.verified_on and backup.damage:
        return badge("unchecked", "whole, as backed up", title=moment(backup.verified_on))
    if backup.verified_on:
        return badge("verified", title=moment(backup.verified_on))
    return NOTHING


class StateFilter(admin.SimpleListFilter):
    """By what Backup.state derives."""

    title = "state"
    parameter_name = "state"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        return [(state.value, state.value) for state in STATES]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Backup]) -> QuerySet[Backup]:
        value = self.value()
        return queryset if value is None else queryset.filter(STATES[Backup.State(value)])

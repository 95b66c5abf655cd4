"""Jobs and their events in the admin: to be read only."""

import json
from typing import Any

from django.apps import apps
from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest

from jobs.models import Event, Job
from projects.access import gid_of
from projects.admin.columns import NOTHING, badge, duration, link, moment, progress_bar
from projects.admin.facts import FactsAdmin

FAILED = "failed"


def outcome(job: Job) -> str:
    """The job's status, but a job that is done with an error is failed."""
    return FAILED if job.status == Job.Status.DONE and job.error is not None else job.status


def reason(job: Job) -> str:
    """Why the job failed; nothing for others."""
    info = (job.error or {}).get("info") or {}
    return str(info.get("reason", ""))


def job_label(job: Job) -> str:
    """What the job does, and with what: "restore project, version 4"."""
    parts = [job.kind, *(f"{name} {value}" for name, value in job.arguments.items())]
    return ", ".join(parts).replace("_", " ")


class OutcomeFilter(admin.SimpleListFilter):
    """By status, with those that failed told apart from those that ended well."""

    title = "status"
    parameter_name = "outcome"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        return [
            ("queued", "queued"),
            ("processing", "processing"),
            ("done", "done, well"),
            (FAILED, "failed"),
            ("rejected", "rejected"),
        ]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Job]) -> QuerySet[Job]:
        match self.value():
            case None:
                return queryset
            case "done":
                return queryset.filter(status=Job.Status.DONE, error__isnull=True)
            case "failed":
                return queryset.filter(status=Job.Status.DONE, error__isnull=False)
            case status:
                return queryset.filter(status=status)


@admin.register(Job)
class JobAdmin(FactsAdmin):
    """Jobs are asked for by way of projects and versions; only workers change them."""

    list_display = (
        "kind_label",
        "project_link",
        "state",
        "progress",
        "reason_given",
        "requested_by",
        "created",
        "ended",
    )
    list_filter = (OutcomeFilter, "kind", ("project", admin.RelatedOnlyFieldListFilter))
    list_select_related = ("project", "requested_by")
    search_fields = ("token__iexact", "project__name", "project__gid__iexact")
    fields = (
        "kind_label",
        "project_link",
        "state",
        "progress",
        "reason_given",
        "found",
        "token",
        "requested_by",
        "created_on",
        "started_on",
        "ended_on",
        "took",
        "worker",
        "losses",
    )
    readonly_fields = fields

    def get_queryset(self, request: HttpRequest) -> QuerySet[Job]:
        return super().get_queryset(request).select_related("project", "requested_by")

    def render_change_form(
        self, request: HttpRequest, context: Any, *args: Any, **kwargs: Any
    ) -> Any:
        # The page of a job that is still to end looks again by itself.
        context["follow"] = kwargs["obj"].status in Job.ACTIVE
        return super().render_change_form(request, context, *args, **kwargs)

    @admin.display(description="job", ordering="kind")
    def kind_label(self, job: Job) -> str:
        return job_label(job)

    @admin.display(description="project", ordering="project__name")
    def project_link(self, job: Job) -> str:
        return link(job.project)

    @admin.display(description="status", ordering="status")
    def state(self, job: Job) -> str:
        return badge(outcome(job), title=reason(job))

    @admin.display
    def progress(self, job: Job) -> str:
        return progress_bar(job.percent)

    @admin.display(description="error")
    def reason_given(self, job: Job) -> str:
        return reason(job) or NOTHING

    @admin.display
    def found(self, job: Job) -> str:
        return json.dumps(job.findings, ensure_ascii=False) if job.findings else NOTHING

    @admin.display(ordering="created_on")
    def created(self, job: Job) -> str:
        return moment(job.created_on)

    @admin.display(ordering="ended_on")
    def ended(self, job: Job) -> str:
        return moment(job.ended_on)

    @admin.display
    def took(self, job: Job) -> str:
        return duration(job.started_on, job.ended_on)


@admin.register(Event)
class EventAdmin(FactsAdmin):
    """The log as it is kept, for superusers: it tells of every project and every user."""

    list_display = ("cursor", "created", "action", "data_type", "data_key", "status")
    fields = readonly_fields = (
        "cursor",
        "created_on",
        "action",
        "data_type",
        "data_key",
        "project_gid",
        "user_gid",
        "data",
    )
    ordering = ("-cursor",)
    # Names nothing that is searched: it makes the search box appear.
    search_fields = ("project_gid",)
    search_help_text = "The gid of a project or a user."

    def has_view_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return bool(request.user.is_superuser)

    def get_search_results(
        self, request: HttpRequest, queryset: QuerySet[Event], search_term: str
    ) -> tuple[QuerySet[Event], bool]:
        if not search_term:
            return queryset, False
        gid = gid_of(search_term.strip())
        if gid is None:
            return queryset.none(), False
        # Each side has its index; a search through the texts of the whole log would have none.
        return queryset.filter(project_gid=gid) | queryset.filter(user_gid=gid), False

    @admin.display
    def created(self, event: Event) -> str:
        return moment(event.created_on)

    @admin.display
    def status(self, event: Event) -> str:
        return str((event.data or {}).get("status", NOTHING))


# The queue's own pages would show pickled tasks, and let them be changed behind the jobs' back.
for _model in apps.get_app_config("django_q").get_models():
    if admin.site.is_registered(_model):
        admin.site.unregister(_model)

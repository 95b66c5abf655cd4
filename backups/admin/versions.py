"""Versions: facts to be read, the way back to one, and whether they are whole."""

import json
from typing import Any

from django.conf import settings
from django.contrib import admin
from django.core.exceptions import PermissionDenied
from django.db.models import QuerySet
from django.http import (
    Http404,
    HttpRequest,
    HttpResponse,
    HttpResponseBase,
    HttpResponseRedirect,
)
from django.template.response import TemplateResponse
from django.urls import URLPattern, path
from django.utils.html import format_html

from backups.admin.requests import (
    download,
    may_download,
    may_restore,
    may_verify,
    restore,
    verify,
)
from backups.admin.states import StateFilter, check_badge, is_restorable, state_badge
from backups.models import Backup
from jobs.admin import reason
from projects.admin.columns import (
    NOTHING,
    byte_count,
    duration,
    link,
    moment,
    page_of,
)
from projects.admin.facts import FactsAdmin
from projects.admin.projects import database_kind


@admin.register(Backup)
class BackupAdmin(FactsAdmin):
    """Versions are made and deleted by jobs only; here they are read, and restored."""

    list_display = (
        "version_label",
        "project_link",
        "name",
        "created_by",
        "time",
        "purpose",
        "state_badge",
        "check_result",
        "size_text",
        "stored_text",
        "took",
    )
    list_filter = (StateFilter, "purpose", ("project", admin.RelatedOnlyFieldListFilter))
    search_fields = ("name", "created_by")
    actions = ("verify_selected",)
    ordering = ("-id",)
    fields = (
        "project_link",
        "version",
        "name",
        "created_by",
        "requested_by",
        "created_on",
        "state_badge",
        "error",
        "job_link",
        "size_text",
        "stored_text",
        "took",
        "check_result",
        "last_check",
        "damage_found",
        "not_checked",
        "remarks_made",
        "purpose",
        "parent_version",
        "unchanged",
        "content_hash",
        "sha256",
        "contents",
    )
    readonly_fields = fields

    def get_queryset(self, request: HttpRequest) -> QuerySet[Backup]:
        return (
            super()
            .get_queryset(request)
            .select_related("project", "job", "requested_by")
            .defer("facts", "project__options", "project__sealed_address", "job__arguments")
        )

    def get_urls(self) -> list[URLPattern]:
        views = {
            "restore": self.restore_view,
            "verify": self.verify_view,
            "download": self.download_view,
        }
        own = [
            path(
                f"<int:pk>/{name}/", self.admin_site.admin_view(view), name=f"backups_backup_{name}"
            )
            for name, view in views.items()
        ]
        return [*own, *super().get_urls()]

    def render_change_form(
        self, request: HttpRequest, context: Any, *args: Any, **kwargs: Any
    ) -> Any:
        context["may_restore"] = may_restore(request) and is_restorable(kwargs["obj"])
        context["may_download"] = may_download(request) and is_restorable(kwargs["obj"])
        context["may_verify"] = may_verify(request) and is_restorable(kwargs["obj"])
        return super().render_change_form(request, context, *args, **kwargs)

    def restore_view(self, request: HttpRequest, pk: int) -> HttpResponse:
        """Show what would be replaced by what; do it when that is confirmed."""
        if not (self.has_view_permission(request) and may_restore(request)):
            raise PermissionDenied
        backup = self.get_object(request, str(pk))
        if backup is None:
            raise Http404
        if request.method == "POST" or not is_restorable(backup):
            if restore(request, backup, safety=request.POST.get("safety") == "on"):
                self.log_change(request, backup, "Asked for its restore.")
                return HttpResponseRedirect(page_of(backup.project))
            return HttpResponseRedirect(page_of(backup))
        context = self.admin_site.each_context(request) | {
            "title": f"Restore {backup.project} to version {backup.version}?",
            "opts": self.opts,
            "backup": backup,
            "findings": backup.findings,
            "size": byte_count(backup.size),
            "database": database_kind(backup.project),
            "back": page_of(backup),
            "safety": settings.SAFETY_VERSIONS,
        }
        return TemplateResponse(request, "admin/backups/backup/restore.html", context)

    def has_verify_permission(self, request: HttpRequest) -> bool:
        return may_verify(request)

    def verify_view(self, request: HttpRequest, pk: int) -> HttpResponse:
        """The button "Verify" on a version's page."""
        if not (self.has_view_permission(request) and may_verify(request)):
            raise PermissionDenied
        backup = self.get_object(request, str(pk))
        if backup is None or request.method != "POST":
            raise Http404
        self._verify(request, backup)
        return HttpResponseRedirect(page_of(backup))

    def download_view(self, request: HttpRequest, pk: int) -> HttpResponseBase:
        """The link "Download" on a version's page."""
        if not (self.has_view_permission(request) and may_download(request)):
            raise PermissionDenied
        backup = self.get_object(request, str(pk))
        if backup is None or request.method != "GET":
            raise Http404
        if (answer := download(request, backup)) is not None:
            return answer
        return HttpResponseRedirect(page_of(backup))

    @admin.action(description="Verify", permissions=["verify"])
    def verify_selected(self, request: HttpRequest, backups: QuerySet[Backup]) -> None:
        for backup in backups:
            self._verify(request, backup)

    def _verify(self, request: HttpRequest, backup: Backup) -> None:
        if verify(request, backup):
            self.log_change(request, backup, "Asked for its verification.")

    @admin.display(description="version", ordering="version")
    def version_label(self, backup: Backup) -> str:
        return f"{backup.version}"

    @admin.display(description="project", ordering="project__name")
    def project_link(self, backup: Backup) -> str:
        return link(backup.project)

    @admin.display(ordering="created_on")
    def time(self, backup: Backup) -> str:
        return moment(backup.created_on)

    @admin.display(description="state")
    def state_badge(self, backup: Backup) -> str:
        return state_badge(backup)

    @admin.display(description="verified", ordering="checked_on")
    def check_result(self, backup: Backup) -> str:
        return check_badge(backup)

    @admin.display
    def last_check(self, backup: Backup) -> str:
        return moment(backup.checked_on)

    @admin.display
    def damage_found(self, backup: Backup) -> str:
        return backup.findings.damage or NOTHING

    @admin.display
    def not_checked(self, backup: Backup) -> str:
        return backup.findings.unchecked or NOTHING

    @admin.display(description="remarks")
    def remarks_made(self, backup: Backup) -> str:
        return "; ".join(backup.remarks) or NOTHING

    @admin.display(description="size", ordering="size")
    def size_text(self, backup: Backup) -> str:
        return byte_count(backup.size)

    @admin.display(description="stored", ordering="stored")
    def stored_text(self, backup: Backup) -> str:
        return byte_count(backup.stored)

    @admin.display
    def took(self, backup: Backup) -> str:
        return duration(backup.job.started_on, backup.job.ended_on)

    @admin.display
    def error(self, backup: Backup) -> str:
        return reason(backup.job) or NOTHING

    @admin.display(description="job")
    def job_link(self, backup: Backup) -> str:
        return link(backup.job)

    @admin.display
    def contents(self, backup: Backup) -> str:
        return format_html("<pre>{}</pre>", json.dumps(backup.facts, indent=2, ensure_ascii=False))

"""The project's page and list with versions, and the button that makes one."""

from typing import Any

from django.contrib import admin
from django.core.exceptions import PermissionDenied
from django.db.models import Count, OuterRef, QuerySet, Subquery, Sum
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.urls import URLPattern, path, reverse

from backups.admin.requests import back_up, may_back_up, may_restore
from backups.admin.states import check_badge, is_restorable, state_badge
from backups.models import Backup
from backups.names import MAX_LENGTH
from jobs.admin import job_label
from jobs.models import Job
from projects.admin.columns import byte_count, moment, page_of, progress_bar
from projects.admin.projects import ProjectAdmin
from projects.models import Project

# A project's page shows so many versions; the list of versions has them all.
LATEST = 20

admin.site.unregister(Project)


def with_versions(projects: QuerySet[Project]) -> QuerySet[Project]:
    """The projects with what is kept of them, as part of the same query."""
    kept = Backup.objects.restorable().filter(project=OuterRef("pk")).order_by()
    each = kept.values("project")
    return projects.annotate(
        version_count=Subquery(each.annotate(value=Count("pk")).values("value")),
        stored_sum=Subquery(each.annotate(value=Sum("stored")).values("value")),
        newest_on=Subquery(kept.order_by("-version").values("created_on")[:1]),
    )


@admin.register(Project)
class ProjectWithVersionsAdmin(ProjectAdmin):
    """The admin of projects, with their versions."""

    list_display = ("name", "owner_link", "state", "versions", "newest", "stored", "gid")
    actions = ("back_up_selected",)
    change_form_template = "admin/backups/project.html"

    def get_queryset(self, request: HttpRequest) -> QuerySet[Project]:
        return with_versions(super().get_queryset(request))

    def get_urls(self) -> list[URLPattern]:
        view = self.admin_site.admin_view(self.back_up_view)
        return [path("<int:pk>/backup/", view, name="projects_project_backup"), *super().get_urls()]

    def render_change_form(
        self, request: HttpRequest, context: Any, *args: Any, **kwargs: Any
    ) -> Any:
        project = kwargs.get("obj")
        if project is not None:
            context |= self._versions_of(request, project)
        return super().render_change_form(request, context, *args, **kwargs)

    def _versions_of(self, request: HttpRequest, project: Project) -> dict[str, Any]:
        """What the template shows of the project's versions."""
        backups = Backup.objects.filter(project=project).select_related("job").defer("facts")
        shown = request.user.has_perm("backups.view_backup")
        rows = []
        for backup in backups[:LATEST] if shown or may_restore(request) else ():
            backup.project = project
            rows.append(
                {
                    "backup": backup,
                    "page": page_of(backup),
                    "state": state_badge(backup),
                    "check": check_badge(backup),
                    "percent": backup.job.percent if backup.state == "pending" else None,
                    "size": byte_count(backup.size),
                    "stored": byte_count(backup.stored),
                    "restorable": is_restorable(backup) and may_restore(request),
                }
            )
        active = project.status == Project.Status.ACTIVE
        jobs = Job.objects.filter(project=project, status__in=Job.ACTIVE).order_by("pk")
        return {
            "version_rows": rows,
            "active_jobs": [
                {"label": job_label(job), "status": job.status, "bar": progress_bar(job.percent)}
                for job in jobs[:LATEST]
            ],
            "versions_shown": shown or may_restore(request),
            "jobs_shown": request.user.has_perm("jobs.view_job"),
            "may_back_up": active and may_back_up(request),
            "name_length": MAX_LENGTH,
        }

    def has_back_up_permission(self, request: HttpRequest) -> bool:
        return may_back_up(request)

    def back_up_view(self, request: HttpRequest, pk: int) -> HttpResponse:
        """The button "Back up now" on a project's page."""
        if not (self.has_view_permission(request) and may_back_up(request)):
            raise PermissionDenied
        project = self.get_object(request, str(pk))
        if project is None or request.method != "POST":
            raise Http404
        self._back_up(
            request,
            project,
            name=request.POST.get("name") or None,
            keep_damaged=request.POST.get("keep_damaged") == "on",
        )
        return HttpResponseRedirect(reverse("admin:projects_project_change", args=[pk]))

    @admin.action(description="Back up now", permissions=["back_up"])
    def back_up_selected(self, request: HttpRequest, projects: QuerySet[Project]) -> None:
        for project in projects:
            self._back_up(request, project)

    def _back_up(self, request: HttpRequest, project: Project, **how: Any) -> None:
        if back_up(request, project, **how):
            self.log_change(request, project, "Asked for a backup.")

    @admin.display(ordering="version_count")
    def versions(self, project: Project) -> str:
        return str(project.version_count or 0)  # type: ignore[attr-defined]

    @admin.display(description="newest version", ordering="newest_on")
    def newest(self, project: Project) -> str:
        return moment(project.newest_on)  # type: ignore[attr-defined]

    @admin.display(ordering="stored_sum")
    def stored(self, project: Project) -> str:
        return byte_count(project.stored_sum)  # type: ignore[attr-defined]

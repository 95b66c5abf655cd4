"""Projects. Other apps may register a subclass of ProjectAdmin that adds what they know."""

from typing import Any

from django.contrib import admin
from django.core.exceptions import ImproperlyConfigured
from django.db.models import ForeignKey, QuerySet
from django.http import HttpRequest

from projects import services
from projects.admin.api_keys import ApiKeyInline
from projects.admin.columns import badge, link
from projects.admin.members import MemberInline
from projects.databases import MANAGED, SQLITE_PREFIX, open_address
from projects.forms import AddressForm, ProjectForm
from projects.models import Project, User


def database_kind(project: Project) -> str:
    """Where the project's database is, without anything that could be a secret."""
    try:
        address = open_address(project)
    except ImproperlyConfigured:
        return "sealed with a key that is not here any more"
    if address == MANAGED:
        return "SQLite, managed"
    if address.startswith(SQLITE_PREFIX):
        return f"SQLite, /{address.removeprefix(SQLITE_PREFIX).lstrip('/')}"
    return address.partition(":")[0]


@admin.register(Project)
class ProjectAdmin(admin.ModelAdmin):
    """Whoever may see projects here sees them all: the admin is for operators, not for members."""

    list_display: tuple[str, ...] = ("name", "owner_link", "state", "gid")
    list_filter = ("status",)
    search_fields = ("name", "gid", "owner__username")
    autocomplete_fields = ("owner",)
    readonly_fields = ("gid", "owner_link", "state", "database", "created_on")
    inlines = (MemberInline, ApiKeyInline)
    show_full_result_count = False

    def get_queryset(self, request: HttpRequest) -> QuerySet[Project]:
        return super().get_queryset(request).select_related("owner").defer("options")

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def get_fieldsets(self, request: HttpRequest, obj: Project | None = None) -> Any:
        address = ("address",) if request.user.is_superuser else ()
        if obj is None:
            return ((None, {"fields": ("name", "owner", *address)}),)
        fields = ("name", "owner_link", "state", "gid", "database", *address, "created_on")
        return ((None, {"fields": fields}),)

    def get_form(
        self, request: HttpRequest, obj: Project | None = None, change: bool = False, **kwargs: Any
    ) -> Any:
        # A form takes whatever fields it declares: without the right there must be no such field.
        kwargs["form"] = AddressForm if request.user.is_superuser else ProjectForm
        return super().get_form(request, obj, change=change, **kwargs)

    def get_inlines(self, request: HttpRequest, obj: Project | None) -> Any:
        return self.inlines if obj else ()

    def get_changeform_initial_data(self, request: HttpRequest) -> dict[str, Any]:
        return {"owner": request.user.pk} | super().get_changeform_initial_data(request)

    def formfield_for_foreignkey(
        self, db_field: ForeignKey, request: HttpRequest, **kwargs: Any
    ) -> Any:
        if db_field.name == "owner":
            kwargs["queryset"] = User.objects.filter(kind=User.Kind.PERSON, is_active=True)
        return super().formfield_for_foreignkey(db_field, request, **kwargs)

    def has_change_permission(self, request: HttpRequest, obj: Project | None = None) -> bool:
        """A deleted project is to be looked at only, as it is for the API."""
        if obj is not None and obj.status != Project.Status.ACTIVE:
            return False
        return super().has_change_permission(request, obj)

    def save_model(self, request: HttpRequest, obj: Project, form: Any, change: bool) -> None:
        address = form.cleaned_data.get("address")
        if not change:
            project = services.create_project(
                name=obj.name, owner=obj.owner, address=address or MANAGED
            )
            # The admin goes on with the instance that it has: make it the row just written.
            obj.pk = project.pk
            obj._state.adding = False
            obj.refresh_from_db()
            return
        if address:
            services.set_address(project=obj, address=address)
        if "name" in form.changed_data:
            services.update_project(project=obj, name=form.cleaned_data["name"])

    @admin.display(description="owner", ordering="owner__username")
    def owner_link(self, project: Project) -> str:
        return link(project.owner)

    @admin.display(description="status", ordering="status")
    def state(self, project: Project) -> str:
        return badge(project.status)

    @admin.display
    def database(self, project: Project) -> str:
        return database_kind(project)

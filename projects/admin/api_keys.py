"""API keys: made here, shown once, listed without their secret, revoked."""

import secrets
from typing import Any

from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied
from django.db import transaction
from django.db.models import OuterRef, QuerySet, Subquery
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.template.response import TemplateResponse
from django.urls import URLPattern, path
from django.utils import timezone
from django.views.decorators.debug import sensitive_variables

from projects import services
from projects.admin.columns import badge, link, page_of
from projects.admin.facts import FactsAdmin, ReadOnly
from projects.forms import ApiKeyForm
from projects.models import ApiKey, Membership
from projects.tokens import is_usable

# Where the session keeps the mark of the form that may make the next key: never the key itself.
FORM_MARK = "api_key_form"


def with_roles(api_keys: QuerySet[ApiKey]) -> QuerySet[ApiKey]:
    """The keys with their project, user and role, in one query."""
    membership = Membership.objects.filter(project=OuterRef("project"), user=OuterRef("user"))
    return api_keys.select_related("project", "user").annotate(
        role_given=Subquery(membership.values("role"))
    )


class ApiKeyColumns:
    """What the list and the inline both show."""

    @admin.display(ordering="user__name")
    def name(self, api_key: ApiKey) -> str:
        return api_key.user.display_name

    @admin.display
    def role(self, api_key: ApiKey) -> str:
        return str(api_key.role_given)  # type: ignore[attr-defined]

    @admin.display
    def state(self, api_key: ApiKey) -> str:
        if api_key.revoked_on is not None:
            return badge("revoked")
        return badge("active" if is_usable(api_key, timezone.now()) else "expired")

    @admin.display(description="project", ordering="project__name")
    def project_link(self, api_key: ApiKey) -> str:
        return link(api_key.project)


DATES = ("created_on", "last_used_on", "expires_on", "revoked_on")


class ApiKeyInline(ReadOnly, ApiKeyColumns, admin.TabularInline):
    """The keys on a project's page."""

    model = ApiKey
    fields = readonly_fields = ("name_link", "prefix", "role", "state", *DATES)
    extra = 0

    def get_queryset(self, request: HttpRequest) -> QuerySet[ApiKey]:
        return with_roles(super().get_queryset(request))

    @admin.display(description="name")
    def name_link(self, api_key: ApiKey) -> str:
        return link(api_key, api_key.user.display_name)


@admin.register(ApiKey)
class ApiKeyAdmin(ApiKeyColumns, FactsAdmin):
    """To make a key takes projects.add_apikey, to revoke one projects.change_apikey."""

    list_display = ("prefix", "name", "project_link", "role", "state", *DATES)
    list_filter = (("revoked_on", admin.EmptyFieldListFilter),)
    search_fields = ("prefix", "user__name", "project__name")
    fields = readonly_fields = ("name", "prefix", "project_link", "role", "state", *DATES)
    actions = ("revoke",)

    def get_queryset(self, request: HttpRequest) -> QuerySet[ApiKey]:
        return with_roles(super().get_queryset(request)).defer("secret_hash")

    def has_add_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return bool(request.user.has_perm("projects.add_apikey"))

    def has_revoke_permission(self, request: HttpRequest) -> bool:
        return bool(request.user.has_perm("projects.change_apikey"))

    def get_urls(self) -> list[URLPattern]:
        revoke = self.admin_site.admin_view(self.revoke_view)
        return [
            path("<int:pk>/revoke/", revoke, name="projects_apikey_revoke"),
            *super().get_urls(),
        ]

    def render_change_form(
        self, request: HttpRequest, context: Any, *args: Any, **kwargs: Any
    ) -> Any:
        api_key = kwargs["obj"]
        context["may_revoke"] = self.has_revoke_permission(request) and not api_key.revoked_on
        return super().render_change_form(request, context, *args, **kwargs)

    def add_view(
        self, request: HttpRequest, form_url: str = "", extra_context: Any = None
    ) -> HttpResponse:
        """Show the form, or make a key and show it in the answer: it is kept nowhere else.

        A form makes one key only, so that a page reloaded neither shows the key nor makes another.
        """
        if not self.has_add_permission(request):
            raise PermissionDenied
        if request.method != "POST":
            return self._ask(request, ApiKeyForm(initial={"project": _project_asked_for(request)}))
        form = ApiKeyForm(request.POST)
        if not form.is_valid():
            return self._ask(request, form)
        mark = request.session.pop(FORM_MARK, None)
        if mark is None or mark != request.POST.get("mark"):
            messages.warning(
                request,
                "No further key was made: this form has been used already, or another was opened "
                "since. A key is shown once only; if it was lost, revoke it and make another.",
            )
            return HttpResponseRedirect(page_of(form.cleaned_data["project"]))
        return self._create(request, form)

    def _ask(self, request: HttpRequest, form: ApiKeyForm) -> HttpResponse:
        request.session[FORM_MARK] = mark = secrets.token_hex(16)
        context = self._context("New API key") | {
            "form": form,
            "mark": mark,
            "media": self.media + form.media,
        }
        return self._answer(request, "add", context)

    @sensitive_variables()
    def _create(self, request: HttpRequest, form: ApiKeyForm) -> HttpResponse:
        with transaction.atomic():
            made = services.create_api_key(**form.cleaned_data)
            self.log_addition(request, made.api_key, [{"added": {}}])
        context = {"text": made.text, "api_key": made.api_key}
        response = self._answer(request, "made", self._context("The new API key") | context)
        response["Cache-Control"] = "no-store"
        return response

    def _context(self, title: str) -> dict[str, Any]:
        return {"title": title, "opts": self.opts}

    def _answer(self, request: HttpRequest, name: str, context: dict[str, Any]) -> HttpResponse:
        context = self.admin_site.each_context(request) | context
        return TemplateResponse(request, f"admin/projects/apikey/{name}.html", context)

    def revoke_view(self, request: HttpRequest, pk: int) -> HttpResponse:
        """The button on a key's page."""
        if not self.has_revoke_permission(request):
            raise PermissionDenied
        api_key = self.get_object(request, str(pk))
        if api_key is None or request.method != "POST":
            raise Http404
        self.revoke(request, ApiKey.objects.filter(pk=pk))
        return HttpResponseRedirect(page_of(api_key))

    @admin.action(description="Revoke the selected API keys", permissions=["revoke"])
    def revoke(self, request: HttpRequest, api_keys: QuerySet[ApiKey]) -> None:
        for api_key in api_keys.filter(revoked_on=None).select_related("project", "user"):
            with transaction.atomic():
                services.revoke_api_key(api_key=api_key)
                self.log_change(request, api_key, "Revoked.")
            messages.success(request, f"{api_key} has been revoked.")


def _project_asked_for(request: HttpRequest) -> int | None:
    text = request.GET.get("project", "")
    return int(text) if text.isdecimal() and len(text) < 19 else None

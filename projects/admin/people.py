"""People: who can sign in. The users that API keys act as are not among them."""

from typing import Any

from django.contrib import admin
from django.contrib.auth.admin import UserAdmin
from django.db.models import QuerySet
from django.http import HttpRequest
from django.urls import reverse
from django.utils.html import format_html
from django.utils.safestring import SafeString

from projects.changes import Action, record_user
from projects.forms import PasswordForm, PersonForm
from projects.models import User

POWERS = ("is_active", "is_staff", "is_superuser", "groups", "user_permissions")


@admin.register(User)
class PersonAdmin(UserAdmin):
    """Superusers manage everybody; other staff only people who are not staff, and no powers.

    Otherwise whoever may change users could give themselves, or take over, any power there is.
    People are not deleted: what they did stays; they are made inactive.
    """

    form = PersonForm
    change_password_form = PasswordForm
    list_display = (
        "username",
        "name",
        "email",
        "is_active",
        "is_staff",
        "is_superuser",
        "last_login",
    )
    list_filter = ("is_active", "is_staff", "is_superuser")
    search_fields = ("username", "name", "email")
    fieldsets = (
        (None, {"fields": ("username", "name", "email", "password_link", "gid")}),
        ("Permissions", {"fields": POWERS}),
        ("Dates", {"fields": ("last_login", "date_joined")}),
    )
    add_fieldsets = (
        (None, {"classes": ("wide",), "fields": ("username", "name", "email")}),
        ("Password", {"fields": ("usable_password", "password1", "password2")}),
    )
    readonly_fields = ("password_link", "gid", "last_login", "date_joined")

    def get_queryset(self, request: HttpRequest) -> QuerySet[User]:
        return super().get_queryset(request).filter(kind=User.Kind.PERSON)

    def get_readonly_fields(self, request: HttpRequest, obj: Any = None) -> tuple[str, ...]:
        powers = () if request.user.is_superuser else POWERS
        return (*self.readonly_fields, *powers)

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        if obj is not None and obj.is_staff and not request.user.is_superuser:
            return False
        return super().has_change_permission(request, obj)

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def save_model(self, request: HttpRequest, obj: User, form: Any, change: bool) -> None:
        super().save_model(request, obj, form, change)
        record_user(Action.UPDATE if change else Action.INSERT, obj)

    @admin.display(description="password")
    def password_link(self, user: User) -> SafeString:
        return format_html(
            '{} <a href="{}">{}</a>',
            "A password is set." if user.has_usable_password() else "No password is set.",
            reverse("admin:auth_user_password_change", args=[user.pk]),
            "Change the password",
        )

"""Savepoint's admin site."""

from typing import Any

from django.contrib.admin import AdminSite
from django.db import transaction
from django.http import HttpRequest
from django.template.response import TemplateResponse

from projects.changes import Action, record_user
from projects.models import User


class Site(AdminSite):
    """Django's, but a person's change of his own password is recorded as any other's is."""

    site_header = site_title = "Savepoint"
    index_title = "Projects, versions and jobs"
    site_url = None

    def password_change(self, request: HttpRequest, extra_context: Any = None) -> TemplateResponse:
        with transaction.atomic():
            response = super().password_change(request, extra_context)
            # The form is shown again unless the password was changed.
            if request.method == "POST" and response.status_code == 302:
                assert isinstance(request.user, User)
                record_user(Action.UPDATE, request.user)
        return response

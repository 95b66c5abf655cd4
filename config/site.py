"""Savepoint's admin site."""

import math
from typing import Any, cast

from django.contrib.admin import AdminSite
from django.db import transaction
from django.http import HttpRequest, HttpResponse
from django.template.response import TemplateResponse

from projects.changes import Action, record_user
from projects.models import User
from projects.throttles import AddressThrottle, FormAnywhereThrottle, FormNameThrottle


class Site(AdminSite):
    """Django's, but people who change their own password have it recorded like any other change."""

    site_header = site_title = "Savepoint"
    index_title = "Projects, versions and jobs"
    site_url = None

    def login(self, request: HttpRequest, extra_context: Any = None) -> HttpResponse:
        """As slow for those who guess at passwords as the sign-in of the API is."""
        if request.method == "POST":
            for throttle in (AddressThrottle(), FormNameThrottle(), FormAnywhereThrottle()):
                # What they look at, forms' requests have too; there is no view of the API here.
                if not throttle.allow_request(cast(Any, request), cast(Any, None)):
                    seconds = str(math.ceil(throttle.wait()))
                    text = f"Too many attempts to sign in. Try again in {seconds} seconds."
                    return HttpResponse(
                        text,
                        status=429,
                        content_type="text/plain",
                        headers={"Retry-After": seconds},
                    )
        return super().login(request, extra_context)

    def password_change(self, request: HttpRequest, extra_context: Any = None) -> TemplateResponse:
        with transaction.atomic():
            response = super().password_change(request, extra_context)
            # The form is shown again unless the password was changed.
            if request.method == "POST" and response.status_code == 302:
                assert isinstance(request.user, User)
                record_user(Action.UPDATE, request.user)
        return response

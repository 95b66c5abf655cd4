from django.contrib import admin
from django.urls import include, path
from django.views.decorators.common import no_append_slash
from django.views.generic import RedirectView

from config.openapi.views import DocsView, SchemaView
from config.signin import (
    InitView,
    LoginView,
    PingView,
    ProjectInitView,
    ProjectKeyView,
    ProjectLoginView,
    TokenRefreshView,
    TokenView,
)

urlpatterns = [
    path("", RedirectView.as_view(pattern_name="admin:index")),
    path("admin/", admin.site.urls),
    path("api/schema", SchemaView.as_view()),
    path("api/docs/", DocsView.as_view()),
    path("api/ping", PingView.as_view()),
    path("api/login", LoginView.as_view()),
    path("api/token/", no_append_slash(TokenView.as_view())),
    path("api/token/refresh/", no_append_slash(TokenRefreshView.as_view())),
    path("api/init", InitView.as_view()),
    path("api/p/<str:gid>/login", ProjectLoginView.as_view()),
    path("api/p/<str:gid>/auth", ProjectKeyView.as_view()),
    path("api/p/<str:gid>/init", ProjectInitView.as_view()),
    path("", include("projects.urls")),
    path("", include("jobs.urls")),
    path("", include("backups.urls")),
]

handler400 = "config.errors.bad_request"
handler403 = "config.errors.permission_denied"
handler404 = "config.errors.not_found"
handler500 = "config.errors.server_error"

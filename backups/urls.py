from django.urls import path

from backups.views import CreateView, RestoreView

urlpatterns = [
    path("api/p/<str:gid>/backups/create", CreateView.as_view()),
    path("api/p/<str:gid>/backups/restore", RestoreView.as_view()),
]

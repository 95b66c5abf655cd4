from django.urls import path

from jobs.views import CursorsView, GetView

urlpatterns = [
    path("sync/cursors", CursorsView.as_view()),
    path("sync/get", GetView.as_view()),
]

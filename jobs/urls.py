from django.urls import path

from jobs import views

urlpatterns = [
    path("sync/cursors", views.CursorsView.as_view()),
    path("sync/get", views.GetView.as_view()),
    path("api/p/<str:gid>/jobs/get", views.JobsGetView.as_view()),
    path("api/p/<str:gid>/jobs/cancel", views.JobsCancelView.as_view()),
]

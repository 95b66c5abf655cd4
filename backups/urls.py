from django.urls import path

from backups import project_views, views

urlpatterns = [
    path("api/p/<str:gid>/backups/create", views.CreateView.as_view()),
    path("api/p/<str:gid>/backups/restore", views.RestoreView.as_view()),
    path("api/p/<str:gid>/backups/update", views.UpdateView.as_view()),
    path("api/p/<str:gid>/backups/delete", views.DeleteView.as_view()),
    path("api/p/<str:gid>/backups/get", views.GetView.as_view()),
    path("api/projects/delete", project_views.DeleteView.as_view()),
    path("api/projects/undelete", project_views.UndeleteView.as_view()),
    path("api/projects/permanent_delete", project_views.PermanentDeleteView.as_view()),
]

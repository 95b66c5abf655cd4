from django.urls import path

from backups.views import clones, downloads, imports, projects, verification, versions

urlpatterns = [
    path("api/p/<str:gid>/backups/create", versions.CreateView.as_view()),
    path("api/p/<str:gid>/backups/restore", versions.RestoreView.as_view()),
    path("api/p/<str:gid>/backups/update", versions.UpdateView.as_view()),
    path("api/p/<str:gid>/backups/delete", versions.DeleteView.as_view()),
    path("api/p/<str:gid>/backups/get", versions.GetView.as_view()),
    path("api/p/<str:gid>/backups/verify", verification.VerifyView.as_view()),
    path("api/p/<str:gid>/backups/clone", clones.CloneView.as_view()),
    path("api/p/<str:gid>/backups/<int:version>/download", downloads.DownloadView.as_view()),
    path("api/p/<str:gid>/backups/import", imports.ImportView.as_view()),
    path("api/projects/delete", projects.DeleteView.as_view()),
    path("api/projects/undelete", projects.UndeleteView.as_view()),
    path("api/projects/permanent_delete", projects.PermanentDeleteView.as_view()),
]

from django.urls import path

from projects import views

urlpatterns = [
    path("api/projects/get", views.ProjectsGetView.as_view()),
    path("api/projects/create", views.ProjectsCreateView.as_view()),
    path("api/projects/update", views.ProjectsUpdateView.as_view()),
    path("api/users/get", views.UsersGetView.as_view()),
    path("api/members/get", views.MembersGetView.as_view()),
    path("api/p/<str:gid>/members/set", views.MembersSetView.as_view()),
    path("api/p/<str:gid>/members/remove", views.MembersRemoveView.as_view()),
    path("api/p/<str:gid>/api_keys/create", views.KeysCreateView.as_view()),
    path("api/p/<str:gid>/api_keys/list", views.KeysListView.as_view()),
    path("api/p/<str:gid>/api_keys/revoke", views.KeysRevokeView.as_view()),
]

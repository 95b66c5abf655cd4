from django.urls import path

from projects.views import api_keys, members, people, projects

urlpatterns = [
    path("api/projects/get", projects.ProjectsGetView.as_view()),
    path("api/projects/create", projects.ProjectsCreateView.as_view()),
    path("api/projects/update", projects.ProjectsUpdateView.as_view()),
    path("api/users/get", people.UsersGetView.as_view()),
    path("api/members/get", people.MembersGetView.as_view()),
    path("api/p/<str:gid>/members/set", members.MembersSetView.as_view()),
    path("api/p/<str:gid>/members/remove", members.MembersRemoveView.as_view()),
    path("api/p/<str:gid>/api_keys/create", api_keys.KeysCreateView.as_view()),
    path("api/p/<str:gid>/api_keys/list", api_keys.KeysListView.as_view()),
    path("api/p/<str:gid>/api_keys/revoke", api_keys.KeysRevokeView.as_view()),
]

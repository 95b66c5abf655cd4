"""Projects, and the people that one shares them with."""

from rest_framework.views import APIView

from backups.views import projects as project_views
from config.openapi.call import Call
from config.openapi.entities import (
    MEMBERSHIPS,
    PROJECT,
    PROJECT_GID,
    PROJECTS,
    TOKEN,
    USER,
    USER_GID,
    gid,
)
from config.openapi.failures import INVALID_NAME, unknown
from config.openapi.shapes import keyed, list_of, record, text
from projects.views import people, projects

TAG = "Projects and people"
PERSON = keyed(USER_GID, USER)

CALLS: dict[type[APIView], Call] = {
    projects.ProjectsGetView: Call(
        TAG,
        "Projects by their gids",
        {"oneOf": [record({"project": PROJECT}), record({"projects": list_of(PROJECT)})]},
        PROJECTS,
        takes=projects.ProjectsParameters,
        body={"project": PROJECT_GID},
        one_of=("project", "projects"),
        forbids=True,
        description="`project` wins if both are given.",
    ),
    people.UsersGetView: Call(
        TAG,
        "Users by their gids",
        {
            "oneOf": [
                record({"user": gid(USER_GID)}),
                record({"users": list_of(gid(USER_GID))}),
            ]
        },
        record({"cc.users": PERSON}),
        takes=people.UsersParameters,
        body={"user": USER_GID},
        one_of=("user", "users"),
        fails=(
            unknown(
                "nobody whom one shares a project with",
                record({"user": text("nobody")}),
                record({"users": list_of(text("nobody"))}),
            ),
        ),
        description="Only people one shares a project with. `user` wins if both are given.",
    ),
    people.MembersGetView: Call(
        TAG,
        "One member of a project",
        record({"project": PROJECT, "member": gid(USER_GID)}),
        record({"cc.projects_members": MEMBERSHIPS}),
        takes=people.MembersGetParameters,
        body={"project": PROJECT_GID, "member": USER_GID},
        forbids=True,
        fails=(unknown("no member of this project", record({"member": text("nobody")})),),
    ),
    projects.ProjectsCreateView: Call(
        TAG,
        "Make a project",
        record({"project": PROJECT, "project_members": list_of(gid(USER_GID))}),
        record({**PROJECTS["properties"], "cc.projects_members": MEMBERSHIPS}),
        takes=projects.CreateProjectParameters,
        body={"name": "Catalogue", "timezone": "Europe/Amsterdam"},
        forbids=True,
        fails=(INVALID_NAME,),
        description="The caller, a person, owns it. Its database is there at once, empty.",
    ),
    projects.ProjectsUpdateView: Call(
        TAG,
        "Rename a project, or change some of its options",
        record({"project": PROJECT}),
        PROJECTS,
        takes=projects.UpdateProjectParameters,
        body={"project": PROJECT_GID, "name": "Catalogue", "options": {"languages": ["en", "nl"]}},
        forbids=True,
        fails=(INVALID_NAME,),
        description="For the owner. Options that are not named stay.",
    ),
    project_views.DeleteView: Call(
        TAG,
        "Delete a project",
        record({"project": PROJECT}),
        takes=project_views.ProjectParameters,
        body={"project": PROJECT_GID},
        forbids=True,
        description="For the owner. It answers 403 to everything but undelete; its jobs end; its"
        " data and versions stay.",
    ),
    project_views.UndeleteView: Call(
        TAG,
        "Bring a deleted project back",
        record({"project": PROJECT}),
        PROJECTS,
        takes=project_views.ProjectParameters,
        body={"project": PROJECT_GID},
        forbids=True,
    ),
    project_views.PermanentDeleteView: Call(
        TAG,
        "Delete a project for good",
        record({"project": PROJECT, "job.token": TOKEN}),
        takes=project_views.PurgeParameters,
        body={"project": PROJECT_GID, "confirm": PROJECT_GID},
        forbids=True,
        description="Only when it was deleted before. A job removes its versions and its managed"
        " database. Irreversible.",
    ),
}

"""The versions of a project's database."""

from rest_framework.views import APIView

from backups import views
from config.openapi.call import Call
from config.openapi.entities import (
    PROJECT,
    PROJECTS,
    TOKEN,
    VERSION,
    VERSION_DETAILS,
    timestamp,
    version,
)
from config.openapi.failures import INVALID_NAME, VERSION_UNKNOWN, not_started
from config.openapi.shapes import Shape, list_of, nullable, record, whole

TAG = "Backups"
NAMED = record({"project": PROJECT, "version": version()})
NAME: dict[str, Shape] = {
    "name": {
        "description": "At most 200 characters. `Backup <number>` only with the version's own"
        " number; else 1001."
    }
}

CALLS: dict[type[APIView], Call] = {
    views.CreateView: Call(
        TAG,
        "Make a version",
        record(
            {
                "project": PROJECT,
                "version": version(),
                "last_backed_up": timestamp(),
                "job.token": TOKEN,
            }
        ),
        PROJECTS,
        takes=views.CreateParameters,
        body={"created_by": "pipeline", "name": "before the import"},
        notes=NAME | {"created_by": {"description": "Groups backups. Not blank."}},
        fails=(INVALID_NAME, not_started("backup")),
        repeatable=True,
        description="For members. Answers as soon as the job is safely recorded; follow"
        " `job.token` in the event log. The version is in `data` here already, in other answers"
        " once its job has ended well.",
    ),
    views.RestoreView: Call(
        TAG,
        "Go back to a version",
        record(
            {
                "project": PROJECT,
                "version": version(),
                "last_restored": timestamp(),
                "job.token": TOKEN,
            }
        ),
        takes=views.VersionParameters,
        body={"version": VERSION},
        fails=(VERSION_UNKNOWN, not_started("restore")),
        repeatable=True,
        description="For members. Answers as soon as the job is safely recorded.",
    ),
    views.UpdateView: Call(
        TAG,
        "Rename a version",
        NAMED,
        PROJECTS,
        takes=views.UpdateParameters,
        body={"version": VERSION, "name": "before the import, checked"},
        notes=NAME,
        fails=(VERSION_UNKNOWN, INVALID_NAME),
        description="For members.",
    ),
    views.GetView: Call(
        TAG,
        "What is known of versions",
        record(
            {
                "project": PROJECT,
                "backups": list_of(VERSION_DETAILS),
                "page.cursor": nullable(
                    whole(VERSION, 1, description="To go on with; null at the end.")
                ),
            }
        ),
        takes=views.GetParameters,
        body={"page.size": 1},
        fails=(VERSION_UNKNOWN,),
        description="All of them, the newest first and in pages, or those that are named.",
    ),
    views.DeleteView: Call(
        TAG,
        "Delete versions",
        record({"project": PROJECT}),
        PROJECTS,
        takes=views.DeleteParameters,
        body={"versions": [1, VERSION]},
        one_of=("version", "versions"),
        repeatable=True,
        description="For members. Irreversible. Unknown versions are passed over; `version` wins"
        " if both are given.",
    ),
}

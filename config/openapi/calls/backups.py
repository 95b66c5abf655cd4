"""The versions of a project's database."""

from rest_framework.views import APIView

from backups import files
from backups.views import clones, downloads, imports, verification, versions
from config.openapi.call import Call
from config.openapi.entities import (
    FINDINGS,
    PROJECT,
    PROJECTS,
    TOKEN,
    VERSION,
    VERSION_DETAILS,
    timestamp,
    version,
)
from config.openapi.failures import INVALID_NAME, VERSION_UNKNOWN, not_started
from config.openapi.shapes import EMPTY, Shape, list_of, nullable, record, whole

TAG = "Backups"
NAMED = record({"project": PROJECT, "version": version()})
NAME: dict[str, Shape] = {
    "name": {
        "description": "At most 200 characters. `Backup <number>` only with the version's own"
        " number; else 1001."
    }
}
RESTORED = {
    "project": PROJECT,
    "version": version(),
    "last_restored": timestamp(),
    **FINDINGS,
}
CLONED = {"project": PROJECT, "version": version(), **FINDINGS}
DRY = {
    "description": "If true, the call only checks what can be known without opening the database:"
    " no job is started. It is refused for the same reasons."
}

CALLS: dict[type[APIView], Call] = {
    versions.CreateView: Call(
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
        takes=versions.CreateParameters,
        body={"created_by": "pipeline", "name": "before the import"},
        notes=NAME
        | {
            "created_by": {"description": "Groups backups. Not blank."},
            "keep_damaged": {
                "description": "Whether a database that is found to be damaged is backed up as it"
                " is. Without it the job fails, and its reason tells of the damage."
            },
        },
        fails=(INVALID_NAME, not_started("backup")),
        repeatable=True,
        description="For members. Answers as soon as the job is safely recorded; follow"
        " `job.token` in the event log. The version is in `data` here already, in other answers"
        " once its job has ended well.",
    ),
    versions.RestoreView: Call(
        TAG,
        "Go back to a version",
        {
            "oneOf": [
                record(RESTORED | {"job.token": TOKEN}),
                record(RESTORED | {"safety": {"type": "boolean", "examples": [True]}}),
            ]
        },
        takes=versions.RestoreParameters,
        body={"version": VERSION},
        notes={
            "safety": {
                "description": "Whether what the database holds now is kept as a version of its own"
                " first; without it as the setting SAFETY_VERSIONS says, which is true if nothing"
                " else was set."
            },
            "dry": DRY,
        },
        fails=(VERSION_UNKNOWN, not_started("restore")),
        repeatable=True,
        description="For members. Answers as soon as the job is safely recorded. The job first"
        " lists what the database holds as a version with purpose `safety`, at the very moment"
        " from which on nobody else writes; to restore that version undoes the restore. If it can't"
        " be stored, nothing is changed. What is stored whole is put back whatever is known of the"
        " database in it; `damage` and `unchecked` tell before. With `dry` the answer has `safety`,"
        " whether a version would be made of what the database holds now, and no `job.token`.",
    ),
    verification.VerifyView: Call(
        TAG,
        "Find out whether a version is whole",
        record({"project": PROJECT, "version": version(), "job.token": TOKEN}),
        takes=versions.VersionParameters,
        body={"version": VERSION},
        fails=(VERSION_UNKNOWN, not_started("verify")),
        repeatable=True,
        description="For members. A job reads, hashes and opens all that is stored of it, puts it"
        " together aside and checks what comes out. Damage of what is stored is told by the job's"
        " `info.error`, and by `damage` in the version's details until another verification finds"
        " the version whole. A version that is whole, of a database that was damaged when it was"
        " backed up, is verified: then `info.damage` and the version's `damage` say so.",
    ),
    clones.CloneView: Call(
        TAG,
        "Put a version into a new project",
        {
            "oneOf": [
                record(CLONED | {"job.token": TOKEN}),
                record(CLONED, description="Of a dry call: `project` is this one."),
            ]
        },
        {"oneOf": [PROJECTS, EMPTY]},
        takes=clones.CloneParameters,
        body={"version": VERSION, "name": "Catalogue, to try things out"},
        notes={
            "name": {
                "description": "The new project's, at most 200 characters; else that of this"
                " project with the version."
            },
            "dry": DRY,
        },
        fails=(VERSION_UNKNOWN, INVALID_NAME, not_started("clone")),
        repeatable=True,
        description="For members who are persons. The caller owns the new project, which `result`"
        " and `data` tell of; its database is there at once, and empty until the job has ended"
        " well. The job is the new project's.",
    ),
    downloads.DownloadView: Call(
        TAG,
        "Download a version",
        EMPTY,
        fails=(VERSION_UNKNOWN, not_started("download")),
        gives_file=files.CONTENT_TYPE,
        description="For members. The version as a plain SQLite file, which any program can open."
        " The first time, unless it was verified, all of it is read before the answer begins,"
        " for its SHA-256. A download that was broken off goes on with `Range`. So many at a time,"
        " half of them to one user, one project or one owner's projects, and no more are served"
        " (429); one of which too little is taken, or that lasts too long, is broken off.",
    ),
    imports.ImportView: Call(
        TAG,
        "Make a version of a file",
        record({"project": PROJECT, "version": version(), "job.token": TOKEN}),
        takes=imports.ImportParameters,
        takes_file=True,
        body={"created_by": "pipeline", "name": "from the old server", "upload_file": "shop.db"},
        notes=NAME
        | {
            "created_by": {"description": "Groups backups. Not blank."},
            "upload_file": {
                "description": "A SQLite database file that no program has open. One that was in"
                " WAL mode must have been closed: what is in its -wal file is not in it, which a"
                " remark of the version and its job says. A file of no bytes is an empty database."
            },
            "keep_damaged": {
                "description": "`true` or `false`: whether a file that is found to be damaged is"
                " taken as it is. Without it the job fails, and its reason tells of the damage."
            },
        },
        fails=(INVALID_NAME, not_started("import")),
        repeatable=True,
        description="For members. The body is a form, `multipart/form-data`. The job checks all of"
        " the file before the version is listed; the project's database is left as it is until the"
        " version is restored. So many uploads at a time, half of them of one user, one project or"
        " one owner's projects, and no more are taken (429); one of which too little comes, or that"
        " lasts too long, is broken off (400). It may take longer than the token lives that it"
        " began with.",
    ),
    versions.UpdateView: Call(
        TAG,
        "Rename a version",
        NAMED,
        PROJECTS,
        takes=versions.UpdateParameters,
        body={"version": VERSION, "name": "before the import, checked"},
        notes=NAME,
        fails=(VERSION_UNKNOWN, INVALID_NAME),
        description="For members.",
    ),
    versions.GetView: Call(
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
        takes=versions.GetParameters,
        body={"page.size": 1},
        notes={
            "facts": {
                "description": "Whether the answer tells what each database said of itself; then of"
                f" at most {versions.MAX_WITH_FACTS} versions."
            }
        },
        fails=(VERSION_UNKNOWN,),
        description="All of them, the newest first and in pages, or those that are named, each"
        " once.",
    ),
    versions.DeleteView: Call(
        TAG,
        "Delete versions",
        record({"project": PROJECT}),
        PROJECTS,
        takes=versions.DeleteParameters,
        body={"versions": [1, VERSION]},
        one_of=("version", "versions"),
        repeatable=True,
        description="For members. Irreversible. Unknown versions are passed over; `version` wins"
        " if both are given.",
    ),
}

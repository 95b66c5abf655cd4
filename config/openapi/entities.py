"""The things that answers and events tell of."""

from backups.formats import WAL_REMARK
from backups.models import Backup
from config.openapi.shapes import (
    EMPTY,
    Shape,
    always_null,
    anything,
    choice,
    example_of,
    keyed,
    list_of,
    named,
    nullable,
    record,
    text,
    whole,
)
from jobs.models import Job
from projects.models import Membership, Project
from projects.options import default_options

# What the examples speak of: one project, its owner, a member, a key and a job.
PROJECT_GID = "6f0d3a52-6b0a-4f0e-9d5c-0d6c2f6a7b11"
USER_GID = "0b7c1f9e-3f64-4c8d-8a37-5f1f7d2c9e02"
MEMBER_GID = "c2a9e5d4-8e1b-4d27-b6f3-91a4e07d3c58"
JOB_TOKEN = "e4b8a1c6-52d7-4a93-8f0e-7c3d9b6a2f14"  # noqa: S105 - names a job, opens nothing
KEY_PREFIX = "3f9c0a7be251"
JWT = "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIwYjdjMWY5ZSJ9.q3uLk8eVx7RzA4sDf"
VERSION = 4
CURSOR = 4133


def gid(example: str) -> Shape:
    return text(example, format="uuid")


def timestamp(example: float = 1794510907.25) -> Shape:
    return {
        "type": "number",
        "examples": [example],
        "description": "Seconds since the Unix epoch, UTC, taken on the server.",
    }


def version(example: int = VERSION) -> Shape:
    return whole(example, 1, description="Given in order, never again.")


PROJECT = gid(PROJECT_GID)
TOKEN = gid(JOB_TOKEN)
CURSOR_SHAPE = whole(CURSOR, description="Where the event log stands.")
ROLES = list_of(choice(*Membership.Role.values), "owner", "member", "viewer")

USER = named(
    "User",
    record(
        {
            "gid": gid(USER_GID),
            "username": text("ada"),
            "name": text("Ada"),
            "avatar": always_null(),
            "status": choice("active", "disabled"),
            "options": anything({}),
        },
        optional={"email": text("ada@example.org", description="For oneself only.")},
        description="A person, or the user that an API key acts as.",
    ),
)

LISTED_VERSION = {
    "version": version(),
    "name": text(f"Backup {VERSION}", maxLength=200),
    "created_by": text("pipeline", maxLength=200, description="Groups backups."),
    "timestamp": timestamp(),
}

BACKUPS = named(
    "ProjectBackups",
    record(
        {
            "versions": list_of(record(LISTED_VERSION), description="The newest first."),
            "next_version": whole(VERSION + 1, 1),
        }
    ),
)

OPTIONS = named(
    "ProjectOptions",
    {
        "type": "object",
        "properties": {
            "languages": list_of(text("en"), minItems=1),
            "timezone": text("UTC"),
            **{
                name: {"type": "object", "additionalProperties": {"type": "string"}}
                for name in ("channels", "orderings", "fieldlists")
            },
            **{
                name: list_of(text("default"), minItems=1)
                for name in ("orderedchannels", "orderedorderings", "orderedfieldlists")
            },
        },
        "required": list(default_options()),
        "examples": [default_options()],
    },
)

PROJECT_ENTITY = named(
    "Project",
    record(
        {
            "gid": PROJECT,
            "name": text("Catalogue", maxLength=200),
            "icon": always_null(),
            "owner": gid(USER_GID),
            "status": choice(*Project.Status.values),
            "options": OPTIONS,
            "backups": BACKUPS,
        }
    ),
)

MEMBERSHIP = named(
    "Membership",
    record(
        {
            "project_gid": PROJECT,
            "user_gid": gid(USER_GID),
            "status": choice(*Membership.Status.values),
            "roles": ROLES,
            "options": EMPTY,
        }
    ),
)

LANGUAGE = named("Language", record({"code": text("en"), "name": text("English")}))

API_KEY = named(
    "ApiKey",
    record(
        {
            "prefix": text(KEY_PREFIX, description="Names the key; not secret."),
            "name": text("nightly import"),
            "role": choice("member", "viewer"),
            "created_on": timestamp(),
            "last_used_on": nullable(timestamp()),
            "expires_on": nullable(timestamp()),
            "revoked_on": nullable(timestamp()),
        }
    ),
)

DAMAGE = text("Tree 2 page 20: btreeInitPage() returns error code 11", minLength=1)
UNCHECKED = text("the collation UNICODE_DE is not known here", minLength=1)
REMARKS = list_of(text(WAL_REMARK), description="What to know of a file that was imported.")
FINDINGS: dict[str, Shape] = {
    "damage": {
        "type": ["string", "null"],
        "minLength": 1,
        "examples": [None],
        "description": "What is known to be damaged: of what is stored, as the last verification"
        " found; else of the database itself, as it was when it was backed up. Null: nothing is"
        " known. It refuses no restore of what is stored whole.",
    },
    "unchecked": {
        "type": ["string", "null"],
        "minLength": 1,
        "examples": [None],
        "description": "What of the database could not be looked at, and why. Null: all was. A"
        " verification may look at more.",
    },
}

VERSION_DETAILS = named(
    "VersionDetails",
    record(
        LISTED_VERSION
        | {
            "size": whole(41943040, description="Of the database, in bytes."),
            "stored": whole(1310720, description="Added to the storage, in bytes."),
            "duration": {"type": ["number", "null"], "minimum": 0, "examples": [0.8]},
            "state": choice(Backup.State.COMPLETE),
            "purpose": choice(*Backup.Purpose.values),
            "unchanged": {
                "type": "boolean",
                "examples": [False],
                "description": "Whether it is the same as the version that it was compared with.",
            },
            "sha256": {
                "type": ["string", "null"],
                "examples": [None],
                "description": "Of its file, in hex; known once it was downloaded or verified.",
            },
            "checked_on": {
                "type": ["number", "null"],
                "examples": [None],
                "description": "When its last verification began.",
            },
            "verified_on": {
                "type": ["number", "null"],
                "examples": [None],
                "description": "The same, if that found it whole.",
            },
            **FINDINGS,
            "remarks": REMARKS | {"examples": [[]]},
        },
        optional={
            "facts": anything(
                {"journal_mode": "wal", "encoding": "UTF-8", "tables": {"products": 4000}},
                description="What the database said of itself, only when it is asked for. Of very"
                " many tables some are left out, and `tables_more` says how many.",
            ),
        },
    ),
)

PROCESS_INFO = record(
    {
        "process": choice("backup", "restore", "purge", "verify", "clone", "import"),
        "reason": text("the project's database does not exist"),
    }
)

JOB_ERROR = named(
    "JobError",
    record(
        {
            "code": {"const": 1003},
            "message": {"const": "Process error"},
            "info": PROCESS_INFO,
        },
        description="Why the job failed. A backup that failed is not listed; a restore that"
        " failed has changed nothing; a verification also fails when what is stored is damaged.",
    ),
)

JOB_FIELDS = {
    "project_gid": PROJECT,
    "job": text("backup_project"),
    "status": choice(
        Job.Status.DONE, Job.Status.QUEUED, Job.Status.PROCESSING, Job.Status.REJECTED
    ),
    "info": record(
        {"total": whole(10240), "remaining": whole(0, description="Never rises.")},
        optional={
            "error": JOB_ERROR,
            "damage": DAMAGE
            | {
                "description": "Of a job that ended well: what is damaged in the database that was"
                " backed up, verified or put back. Absent if nothing is known."
            },
            "unchecked": UNCHECKED
            | {"description": "Likewise: what of it could not be looked at, and why."},
            "remarks": REMARKS,
            "safety": record(
                {"version": version(5), **FINDINGS},
                description="The version that a restore made of what it wrote over.",
            ),
        },
        description="`total` and `remaining` are in the engine's own unit: pages for SQLite.",
    ),
    "created_on": timestamp(),
    "updated_on": timestamp(1794510908.5),
}
JOB = named("Job", record({"token": TOKEN} | JOB_FIELDS))

EVENT = named(
    "Event",
    record(
        {
            "type": {"const": "cc"},
            "cursor": whole(CURSOR, 1),
            "action": choice("UPDATE", "INSERT", "DELETE"),
            "data_type": choice("jobs", "cc.projects", "cc.projects_members", "cc.users"),
            "data_key": text(
                JOB_TOKEN, description="A job's token, a gid, or project gid/user gid."
            ),
        },
        optional={"data": record(JOB_FIELDS, description="Of jobs only.")},
        examples=[
            {
                "type": "cc",
                "cursor": CURSOR,
                "action": "UPDATE",
                "data_type": "jobs",
                "data_key": JOB_TOKEN,
                "data": example_of(record(JOB_FIELDS)),
            }
        ],
    ),
)

# Told of once in docs/api.md, and named in its examples.
ENTITIES = (
    "Project",
    "User",
    "Membership",
    "Language",
    "ApiKey",
    "VersionDetails",
    "Job",
    "Event",
)

PROJECTS = record({"cc.projects": keyed(PROJECT_GID, PROJECT_ENTITY)})
MEMBERSHIPS = list_of(MEMBERSHIP)

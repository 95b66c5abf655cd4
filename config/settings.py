"""Settings of Savepoint. Everything that differs between installations comes from the environment.

A secret NAME may also be given as a file by NAME_FILE. A value that can't be read ends the start
with its name. `.env.example` lists them all.
"""

from datetime import timedelta
from pathlib import Path

from django.core.exceptions import ImproperlyConfigured

from config.places import (
    BASE_DIR,
    CACHE_DIR,
    DATA_DIR,
    KEY_DIR,
    RUN_DIR,
    SCRATCH_DIR,
    STORE_DIR,
    env,
)
from config.release import VERSION

__all__ = ["CACHE_DIR", "KEY_DIR", "RUN_DIR", "SCRATCH_DIR", "STORE_DIR"]


def key(name: str, file: str) -> str:
    """The key from the environment, else from the key folder; never a default."""
    value = env.str(name, default="")
    if value:
        return str(value)
    path = KEY_DIR / f"{file}.key"
    try:
        return path.read_text().strip()
    except OSError as error:
        raise ImproperlyConfigured(
            f"{name} is not set and {path} can't be read ({error.strerror}). "
            f"Set it, or make the keys: python -m config.keys"
        ) from error


# --- Places ---------------------------------------------------------------------------------------

MANAGED_DATABASES_DIR = DATA_DIR / "databases"
# Folders below which an administrator may point a project at an existing SQLite file.
_roots: list[str] = env.list("SQLITE_ROOTS", default=[])
SQLITE_ROOTS = [Path(root).resolve() for root in _roots]
# True allows roots in which all users of the machine may make files.
SQLITE_ROOTS_SHARED = env.bool("SQLITE_ROOTS_SHARED", default=False)

# --- Security -------------------------------------------------------------------------------------

DEBUG = env.bool("DEBUG", default=False)
SECRET_KEY = key("SECRET_KEY", "django")
TOKEN_SIGNING_KEY = key("TOKEN_SIGNING_KEY", "tokens")
# Comma-separated; the first key seals, the others still open what was sealed before a rotation.
ADDRESS_KEYS = key("ADDRESS_KEYS", "addresses").split(",")
STORE_KEYS = key("STORE_KEYS", "store")

ALLOWED_HOSTS: list[str] = env.list("ALLOWED_HOSTS", default=["localhost", "127.0.0.1", "[::1]"])
CSRF_TRUSTED_ORIGINS: list[str] = env.list("CSRF_TRUSTED_ORIGINS", default=[])
# True where a proxy ends TLS in front of Savepoint: cookies go over https only, http is redirected.
HTTPS = env.bool("HTTPS", default=False)
SESSION_COOKIE_SECURE = CSRF_COOKIE_SECURE = SECURE_SSL_REDIRECT = HTTPS
SECURE_HSTS_SECONDS = 365 * 86400 if HTTPS else 0
SECURE_HSTS_INCLUDE_SUBDOMAINS = SECURE_HSTS_PRELOAD = HTTPS
SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https") if HTTPS else None
X_FRAME_OPTIONS = "DENY"
LOGIN_REDIRECT_URL = "admin:index"
# The admin's session ends so long after its last page.
SESSION_COOKIE_AGE = env.int("ADMIN_IDLE_SECONDS", default=3600)
SESSION_SAVE_EVERY_REQUEST = True
DATA_UPLOAD_MAX_MEMORY_SIZE = 1024 * 1024
# So long may a request's head take to come, and then its body, unless that is a file.
REQUEST_SECONDS = env.float("REQUEST_SECONDS", default=60.0)

AUTH_USER_MODEL = "projects.User"
AUTH_PASSWORD_VALIDATORS = [
    {"NAME": f"django.contrib.auth.password_validation.{name}"}
    for name in (
        "UserAttributeSimilarityValidator",
        "MinimumLengthValidator",
        "CommonPasswordValidator",
        "NumericPasswordValidator",
    )
]

# --- Application ----------------------------------------------------------------------------------

INSTALLED_APPS = [
    "config.apps.SiteConfig",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "django.contrib.messages",
    "servestatic",
    "django.contrib.staticfiles",
    "channels",
    "django_q",
    "rest_framework",
    "drf_spectacular",
    "drf_spectacular_sidecar",
    "config.openapi",
    "projects",
    "jobs",
    "backups",
]

MIDDLEWARE = [
    "config.middleware.RequestId",
    "django.middleware.security.SecurityMiddleware",
    "config.middleware.PagePolicy",
    "servestatic.middleware.ServeStaticMiddleware",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
    "config.middleware.TokenRenewal",
]

ROOT_URLCONF = "config.urls"
ASGI_APPLICATION = "config.asgi.application"
TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "DIRS": [BASE_DIR / "templates"],
        "APP_DIRS": True,
        "OPTIONS": {
            "context_processors": [
                "django.template.context_processors.request",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
            ]
        },
    }
]

LANGUAGE_CODE = "en"
TIME_ZONE = "UTC"
USE_TZ = True
FORMAT_MODULE_PATH = ["config.formats"]
STATIC_URL = "static/"
SERVESTATIC_USE_FINDERS = True
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"

# --- Savepoint's own database ---------------------------------------------------------------------

DATABASES = {
    "default": env.dj_db_url("DATABASE_URL", default=f"sqlite:///{DATA_DIR / 'savepoint.sqlite3'}")
}
# Workers keep their connection between tasks; a web request has a thread of its own and must not.
DATABASES["default"]["CONN_MAX_AGE"] = env.int("DATABASE_CONN_MAX_AGE", default=0)
if DATABASES["default"]["ENGINE"] == "django.db.backends.sqlite3":
    DATABASES["default"]["OPTIONS"] = {
        "timeout": 20,
        "transaction_mode": "IMMEDIATE",
        # FULL, not NORMAL: a version that was promised must not vanish with a power failure.
        "init_command": "PRAGMA journal_mode=WAL; PRAGMA synchronous=FULL;"
        " PRAGMA journal_size_limit=67108864; PRAGMA foreign_keys=ON",
    }
    DATABASES["default"]["TEST"] = {"NAME": str(DATA_DIR / "test.sqlite3")}

# --- API ------------------------------------------------------------------------------------------

API_REALM = "savepoint"
# A token lives for the first; answers renew it until the second has passed since the sign-in.
TOKEN_LIFETIME = timedelta(seconds=env.int("TOKEN_SECONDS", default=1800))
SESSION_LIFETIME = timedelta(seconds=env.int("SESSION_SECONDS", default=12 * 3600))

SIMPLE_JWT = {
    "SIGNING_KEY": TOKEN_SIGNING_KEY,
    "ISSUER": API_REALM,
    "USER_ID_FIELD": "gid",
    "USER_ID_CLAIM": "sub",
    "LEEWAY": 30,
    "UPDATE_LAST_LOGIN": False,
    "AUTH_TOKEN_CLASSES": ("projects.tokens.SessionToken",),
}

REST_FRAMEWORK = {
    "DEFAULT_AUTHENTICATION_CLASSES": ["projects.authentication.TokenAuthentication"],
    "DEFAULT_PERMISSION_CLASSES": ["rest_framework.permissions.IsAuthenticated"],
    "DEFAULT_RENDERER_CLASSES": ["config.envelope.EnvelopeRenderer"],
    "DEFAULT_CONTENT_NEGOTIATION_CLASS": "config.envelope.OneRenderer",
    "URL_FORMAT_OVERRIDE": None,
    "DEFAULT_PARSER_CLASSES": ["config.envelope.ObjectParser"],
    "EXCEPTION_HANDLER": "config.errors.answer_exception",
    "DEFAULT_THROTTLE_CLASSES": ["projects.throttles.CallThrottle"],
    "DEFAULT_SCHEMA_CLASS": "config.openapi.schema.EnvelopeSchema",
    # How many proxies in front add to X-Forwarded-For; with none, the header is not believed.
    "NUM_PROXIES": env.int("NUM_PROXIES", default=0),
    "UNAUTHENTICATED_USER": "django.contrib.auth.models.AnonymousUser",
}

SPECTACULAR_SETTINGS = {
    "TITLE": "Savepoint",
    "DESCRIPTION": "Versioned backups of project databases. Every answer is an envelope of three"
    " keys: `success`, `result` and `data`; only this document and its page are none.",
    "VERSION": VERSION,
    "OAS_VERSION": "3.1.0",
    "COMPONENT_SPLIT_REQUEST": True,
    "SORT_OPERATIONS": False,
    "POSTPROCESSING_HOOKS": ["config.openapi.document.add_shared_parts"],
    "SWAGGER_UI_DIST": "SIDECAR",
    "SWAGGER_UI_FAVICON_HREF": "SIDECAR",
    # No validator: it would send the document to a server of others.
    "SWAGGER_UI_SETTINGS": {"deepLinking": True, "docExpansion": "list", "validatorUrl": None},
}

# Number of calls / s, m, h or d, in all web processes of this machine together: by user, address,
# address with name, name, and project. So many at once, then one in each such part of the period.
THROTTLE_RATES = {
    "calls": env.str("THROTTLE_CALLS", default="1200/m"),
    "sign_in_address": env.str("THROTTLE_SIGN_IN_ADDRESS", default="60/m"),
    "sign_in_name": env.str("THROTTLE_SIGN_IN_NAME", default="10/m"),
    "sign_in_anywhere": env.str("THROTTLE_SIGN_IN_ANYWHERE", default="300/d"),
    "create": env.str("THROTTLE_CREATE", default="60/m"),
}

# What other apps add to a project's entity: key -> function(projects) -> {project id: value}.
PROJECT_PARTS = {"backups": "backups.listing.versions_of"}
# Where the projects app records that a user, a project or a membership changed.
CHANGE_RECORDER = "jobs.events.record_change"

# --- Jobs -----------------------------------------------------------------------------------------

JOB_TASKS = {
    "backup_project": "backups.tasks.backup.backup_project",
    "restore_project": "backups.tasks.restore.restore_project",
    "purge_project": "backups.tasks.purge.purge_project",
    "sweep_project": "backups.tasks.sweep.sweep_project",
    "verify_backup": "backups.tasks.verify.verify_backup",
    "clone_backup": "backups.tasks.clone.clone_backup",
    "import_version": "backups.tasks.imports.import_version",
}
# What whoever asked for a job must still be allowed when it begins: kind -> the role in its
# project, and the permission that stands for it in the admin, if the admin can ask for it.
JOB_RIGHTS = {
    "backup_project": ("member", "backups.add_backup"),
    "restore_project": ("member", "backups.change_backup"),
    "purge_project": ("owner", ""),
    "sweep_project": ("owner", ""),
    "verify_backup": ("member", "backups.change_backup"),
    "clone_backup": ("owner", ""),
    "import_version": ("member", ""),
}
# What is done now and then beside the jobs: functions without arguments.
HOUSEKEEPING = [
    "backups.sweeps.request_due",
    "backups.verification.request_due",
    "backups.uploads.remove_abandoned",
]
HOUSEKEEPING_SECONDS = env.float("HOUSEKEEPING_SECONDS", default=60.0)
WORKERS = env.int("WORKERS", default=3)
# How many jobs of one person's may run at once; 0: on all workers but one, so that the jobs of
# others need not wait for theirs.
JOBS_PER_OWNER = env.int("JOBS_PER_OWNER", default=0)
# The niceness of the threads that do jobs: with 0 they share alike with all other programs.
WORKER_NICE = env.int("WORKER_NICE", default=10)
JOB_LEASE_SECONDS = env.float("JOB_LEASE_SECONDS", default=30.0)
JOB_HEARTBEAT_SECONDS = env.float("JOB_HEARTBEAT_SECONDS", default=5.0)
JOB_STALL_SECONDS = env.float("JOB_STALL_SECONDS", default=300.0)
JOB_ATTEMPTS = env.int("JOB_ATTEMPTS", default=3)
# A cluster must show life now and then. Silent for the second, with a worker free, it is wedged.
CANARY_SECONDS = env.float("CANARY_SECONDS", default=5.0)
WEDGED_SECONDS = env.float("WEDGED_SECONDS", default=20.0)
REAPER_SECONDS = env.float("REAPER_SECONDS", default=3.0)
EVENTS_KEEP_DAYS = env.int("EVENTS_KEEP_DAYS", default=30)
# How often a web process looks for events when nothing has rung its bell.
FEED_POLL_SECONDS = env.float("FEED_POLL_SECONDS", default=1.0)
# A listener whose queue of unsent events grows beyond this is cut off and resumes by its cursor.
LISTENER_QUEUE = env.int("LISTENER_QUEUE", default=2000)
CONNECT_SECONDS = env.float("CONNECT_SECONDS", default=10.0)

WEEK = 7 * 86400
Q_CLUSTER = {
    "name": "savepoint",
    "label": "Queue",
    "orm": "default",
    "broker_class": "jobs.broker.BellBroker",
    "workers": WORKERS,
    # Leases bound a job's time, not the queue: these only have to be longer than any real job.
    "timeout": WEEK,
    "retry": WEEK + 86400,
    "ack_failures": True,
    "max_attempts": 1,
    "save_limit": -1,
    "queue_limit": 1,
    "bulk": 1,
    "recycle": 100,
    "poll": 1,
    "guard_cycle": 0.5,
    "catch_up": False,
    "scheduler": False,
}

# --- Backups --------------------------------------------------------------------------------------

# How long a backup or a restore waits for a lock on the project's database.
LOCK_WAIT_SECONDS = env.float("LOCK_WAIT_SECONDS", default=10.0)
# How long a version may take to look for damage in a database that has changed.
CHECK_SECONDS = env.float("CHECK_SECONDS", default=0.25)
# Whether a restore first keeps, as a version, what it writes over; a call may say otherwise.
SAFETY_VERSIONS = env.bool("SAFETY_VERSIONS", default=True)
# The newest version of each project is verified so often; 0 for never.
VERIFY_DAYS = env.int("VERIFY_DAYS", default=30)
# The largest database file that is taken as an upload, and how many downloads a web process
# serves at once: each takes some 80 MB of memory.
IMPORT_BYTES = env.int("IMPORT_BYTES", default=10737418240)
DOWNLOADS = env.int("DOWNLOADS", default=4)
# How many uploads a web process takes at once. An upload or download is broken off when it was
# waited for the client so many seconds in which fewer bytes a second came, or were taken, than the
# rate says; or when the whole lasts too long.
UPLOADS = env.int("UPLOADS", default=4)
STALL_SECONDS = env.float("STALL_SECONDS", default=300.0)
TRANSFER_RATE = env.int("TRANSFER_RATE", default=16384)
TRANSFER_SECONDS = env.float("TRANSFER_SECONDS", default=43200.0)
BLOCK_BYTES = env.int("BLOCK_BYTES", default=64 * 1024)
FRAME_BYTES = env.int("FRAME_BYTES", default=256 * 1024)
PACK_BYTES = env.int("PACK_BYTES", default=32 * 1024 * 1024)
# So long after there is something to sweep a project is swept, and no more often.
SWEEP_SECONDS = env.float("SWEEP_SECONDS", default=3600.0)
# So long after a sweep has found it of no use an object is deleted: who reads it then may end.
SWEEP_GRACE_SECONDS = env.float("SWEEP_GRACE_SECONDS", default=3600.0)

# --- Logging --------------------------------------------------------------------------------------

LOGGING = {
    "version": 1,
    "disable_existing_loggers": False,
    "formatters": {
        "line": {
            "()": "config.logs.OneLine",
            "format": "%(asctime)s %(levelname)s %(name)s: %(message)s",
        }
    },
    "handlers": {"console": {"class": "logging.StreamHandler", "formatter": "line"}},
    "root": {"handlers": ["console"], "level": env.str("LOG_LEVEL", default="INFO")},
    "loggers": {
        # Its INFO lines are one for each task and process; what matters is in the jobs themselves.
        "django-q": {
            "handlers": ["console"],
            "level": env.str("QUEUE_LOG_LEVEL", default="WARNING"),
            "propagate": False,
        },
        # The server brings handlers of its own; what they write must be no less safe to read.
        "uvicorn": {"handlers": ["console"], "level": "WARNING", "propagate": False},
    },
}

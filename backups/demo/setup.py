"""Makes what the demo needs, once, and remembers it in `demo.json`."""

import json
import os
import secrets
from dataclasses import asdict, dataclass, field
from pathlib import Path

from django.conf import settings

from backups.demo.catalogue import write_catalogue
from projects.databases import managed_path
from projects.models import Membership, User
from projects.services import create_api_key, create_project, create_user


@dataclass(frozen=True)
class Demo:
    """How to reach the demo. Holds secrets: written with mode 0600, shown on the terminal only."""

    url: str
    username: str
    password: str = field(repr=False)
    project: str
    api_key: str = field(repr=False)
    database: str

    def save(self) -> None:
        """Write it whole or not at all, readable by its owner only."""
        path = demo_file()
        temporary = path.with_suffix(".new")
        descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        with os.fdopen(descriptor, "w") as file:
            json.dump(asdict(self), file, indent=2)
            file.write("\n")
        temporary.replace(path)


def demo_file() -> Path:
    return Path(settings.DATA_DIR) / "demo.json"


def ready_demo(url: str, megabytes: int) -> Demo:
    """The demo of this data folder, made at the first call, at this URL."""
    try:
        known = json.loads(demo_file().read_text())
    except FileNotFoundError:
        demo = _make(url, megabytes)
    else:
        demo = Demo(**{**known, "url": url})
    demo.save()
    return demo


def _make(url: str, megabytes: int) -> Demo:
    password = secrets.token_urlsafe(12)
    # A start that was interrupted before demo.json was written left a user whose password is lost.
    user = User.objects.filter(username="admin").first()
    if user is None:
        user = create_user(
            username="admin",
            password=password,
            name="Administrator",
            is_staff=True,
            is_superuser=True,
        )
    else:
        user.set_password(password)
        user.save(update_fields=["password"])
    project = create_project(name="Demo catalogue", owner=user)
    write_catalogue(managed_path(project), megabytes)
    key = create_api_key(project=project, name="Demo key", role=Membership.Role.MEMBER)
    return Demo(
        url=url,
        username=user.username,
        password=password,
        project=str(project.gid),
        api_key=key.text,
        database=str(managed_path(project)),
    )

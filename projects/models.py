import uuid

from django.contrib.auth.models import AbstractUser, UserManager
from django.db import models

from projects.options import default_options


class User(AbstractUser):
    """A person, or the user that an API key acts as."""

    class Kind(models.TextChoices):
        PERSON = "person"
        API = "api", "API key"

    # One name, as the person writes it.
    first_name: None = None  # type: ignore[assignment]
    last_name: None = None  # type: ignore[assignment]
    gid = models.UUIDField(default=uuid.uuid4, unique=True, editable=False)
    name = models.CharField(max_length=200, blank=True)
    kind = models.CharField(max_length=10, choices=Kind, default=Kind.PERSON, editable=False)
    options = models.JSONField(default=dict, blank=True)

    objects = UserManager()  # type: ignore[misc]

    def __str__(self) -> str:
        return self.display_name

    @property
    def display_name(self) -> str:
        return self.name or self.username

    def get_full_name(self) -> str:
        return self.name

    def get_short_name(self) -> str:
        return self.display_name


class Project(models.Model):
    """A team's project: one database, its members and, elsewhere, its jobs and versions."""

    class Status(models.TextChoices):
        ACTIVE = "active"
        DELETED = "deleted"

    gid = models.UUIDField(default=uuid.uuid4, unique=True, editable=False)
    name = models.CharField(max_length=200, default="untitled project")
    owner = models.ForeignKey(User, on_delete=models.PROTECT, related_name="owned_projects")
    status = models.CharField(max_length=10, choices=Status, default=Status.ACTIVE)
    options = models.JSONField(default=default_options, blank=True)
    sealed_address = models.TextField(
        editable=False,
        help_text="Where the project's database is, sealed: addresses may hold passwords.",
    )
    # Who may use its database, in its engine's words, as it was when a job saw it last.
    database_rights = models.CharField(max_length=100, blank=True, editable=False)
    created_on = models.DateTimeField(auto_now_add=True)
    # Set when its versions and its managed database are to be removed for good.
    purged_on = models.DateTimeField(null=True, editable=False)
    members = models.ManyToManyField(User, through="Membership", related_name="projects")

    class Meta:
        ordering = ("name", "id")

    def __str__(self) -> str:
        return self.name


class Membership(models.Model):
    """What a user may do in a project. Roles contain each other: owner > member > viewer."""

    class Role(models.TextChoices):
        OWNER = "owner"
        MEMBER = "member"
        VIEWER = "viewer"

    class Status(models.TextChoices):
        ACTIVE = "active"
        REMOVED = "removed"

    project = models.ForeignKey(Project, on_delete=models.CASCADE, related_name="memberships")
    user = models.ForeignKey(User, on_delete=models.CASCADE, related_name="memberships")
    role = models.CharField(max_length=10, choices=Role, default=Role.MEMBER)
    status = models.CharField(max_length=10, choices=Status, default=Status.ACTIVE)
    created_on = models.DateTimeField(auto_now_add=True)

    class Meta:
        ordering = ("id",)
        constraints = (
            models.UniqueConstraint(fields=("project", "user"), name="one_membership_each"),
        )

    def __str__(self) -> str:
        return f"{self.user} in {self.project}: {self.role}"

    @property
    def roles(self) -> list[str]:
        """This role and those that it contains, the largest first."""
        order: list[str] = [self.Role.OWNER, self.Role.MEMBER, self.Role.VIEWER]
        return [str(role) for role in order[order.index(self.role) :]]

    def allows(self, role: str) -> bool:
        """Whether this membership may do what `role` may."""
        return self.status == self.Status.ACTIVE and role in self.roles


class StoredAnswer(models.Model):
    """The result of a call with an Idempotency-Key, for the calls that repeat it."""

    user = models.ForeignKey(User, on_delete=models.CASCADE, related_name="+")
    path = models.CharField(max_length=200)
    key = models.CharField(max_length=255)
    body_hash = models.CharField(max_length=64)
    answer = models.JSONField(default=dict)
    created_on = models.DateTimeField(db_index=True)

    class Meta:
        constraints = (
            models.UniqueConstraint(
                fields=("user", "path", "key"), name="one_answer_for_an_idempotency_key"
            ),
        )

    def __str__(self) -> str:
        return f"answer of {self.path} to {self.user}"


class ApiKey(models.Model):
    """A key to one project, acting as a user of its own. Only a hash of its secret is kept."""

    project = models.ForeignKey(Project, on_delete=models.CASCADE, related_name="api_keys")
    user = models.OneToOneField(User, on_delete=models.CASCADE, related_name="api_key")
    prefix = models.CharField(max_length=16, unique=True, editable=False)
    secret_hash = models.CharField(max_length=64, editable=False)
    created_on = models.DateTimeField(auto_now_add=True)
    last_used_on = models.DateTimeField(null=True, blank=True, editable=False)
    expires_on = models.DateTimeField(null=True, blank=True)
    revoked_on = models.DateTimeField(null=True, blank=True, editable=False)

    class Meta:
        ordering = ("-id",)
        verbose_name = "API key"

    def __str__(self) -> str:
        return f"{self.user.display_name} ({self.prefix})"

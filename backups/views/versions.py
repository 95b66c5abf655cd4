"""/api/p/<gid>/backups/: validate, ask the service, answer."""

from typing import Any

from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.serializers import ValidationError

from backups import services
from backups.findings import as_fields
from backups.listing import version_details
from backups.models import Backup
from backups.names import checked_maker
from projects.errors import InvalidParameters
from projects.models import Membership
from projects.parameters import (
    BooleanParameter,
    IntegerParameter,
    ListParameter,
    NameParameter,
    Parameters,
    TextParameter,
)
from projects.permissions import ProjectView
from projects.serializers import project_entities
from projects.throttles import CreateThrottle

# Facts are long: no more versions than these tell theirs in one answer.
MAX_WITH_FACTS = 100


class LabelParameters(Parameters):
    created_by = TextParameter(max_length=200)
    name = NameParameter(required=False)

    def validate_created_by(self, value: str) -> str:
        try:
            return checked_maker(value)
        except InvalidParameters as error:
            raise ValidationError(error.info["created_by"]) from error


class CreateParameters(LabelParameters):
    keep_damaged = BooleanParameter(required=False)


class CreateView(ProjectView):
    """POST /api/p/<gid>/backups/create"""

    role = Membership.Role.MEMBER
    project_throttles = (CreateThrottle,)

    def post(self, request: Request, gid: str) -> Response:
        parameters = CreateParameters.read(request.data)
        with services.recorded("backup"):
            return self.answer_once(lambda: self._create(**parameters), self._with_version)

    def _create(self, **parameters: Any) -> dict[str, Any]:
        backup, job = services.create_backup(
            project=self.project, requested_by=self.user, **parameters
        )
        return {
            "project": str(self.project.gid),
            "version": backup.version,
            "last_backed_up": backup.created_on.timestamp(),
            "job.token": str(job.token),
        }

    def _with_version(self, result: dict[str, Any]) -> dict[str, Any]:
        """The project's entity. Here alone it tells of a version before that is complete: the
        caller wants its number."""
        gid, version = str(self.project.gid), result["version"]
        entities = project_entities([self.project])
        versions = entities[gid]["backups"]["versions"]
        if all(item["version"] != version for item in versions):
            made = Backup.objects.defer("facts").filter(project=self.project, version=version)
            backup = made.select_related("job").first()
            if backup is not None and backup.state == Backup.State.PENDING:
                versions.append(backup.wire())
                versions.sort(key=lambda item: item["version"], reverse=True)
        return {"cc.projects": entities}


class VersionParameters(Parameters):
    version = IntegerParameter()


class RestoreParameters(VersionParameters):
    safety = BooleanParameter(required=False)
    dry = BooleanParameter(required=False)


class RestoreView(ProjectView):
    """POST /api/p/<gid>/backups/restore"""

    role = Membership.Role.MEMBER

    def post(self, request: Request, gid: str) -> Response:
        parameters = RestoreParameters.read(request.data)
        if parameters.pop("dry", False):
            return Response({"result": self._plan(**parameters)})
        with services.recorded("restore"):
            return self.answer_once(lambda: self._restore(**parameters))

    def _plan(self, version: int, safety: bool | None = None) -> dict[str, Any]:
        plan = services.plan_restore(project=self.project, version=version, safety=safety)
        return self._of(plan.backup) | {"safety": plan.safety and plan.overwrites}

    def _restore(self, version: int, safety: bool | None = None) -> dict[str, Any]:
        backup, job = services.restore_backup(
            project=self.project, requested_by=self.user, version=version, safety=safety
        )
        return self._of(backup) | {"job.token": str(job.token)}

    def _of(self, backup: Backup) -> dict[str, Any]:
        return {
            "project": str(self.project.gid),
            "version": backup.version,
            "last_restored": backup.created_on.timestamp(),
            **as_fields(backup.findings),
        }


class UpdateParameters(VersionParameters):
    name = NameParameter()


class UpdateView(ProjectView):
    """POST /api/p/<gid>/backups/update"""

    role = Membership.Role.MEMBER

    def post(self, request: Request, gid: str) -> Response:
        parameters = UpdateParameters.read(request.data)
        services.rename_backup(project=self.project, **parameters)
        return Response(
            {
                "result": {"project": gid, "version": parameters["version"]},
                "data": {"cc.projects": project_entities([self.project])},
            }
        )


class VersionsParameters(Parameters):
    version = IntegerParameter(required=False)
    versions = ListParameter(child=IntegerParameter(), required=False)


class DeleteParameters(VersionsParameters):
    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        if not attrs:
            raise ValidationError({"version": "is required, or versions"})
        return attrs


class DeleteView(ProjectView):
    """POST /api/p/<gid>/backups/delete"""

    role = Membership.Role.MEMBER

    def post(self, request: Request, gid: str) -> Response:
        parameters = DeleteParameters.read(request.data)
        versions = parameters.get("versions", [])
        if "version" in parameters:
            versions = [parameters["version"]]
        return self.answer_once(lambda: self._delete(versions), self._left)

    def _delete(self, versions: list[int]) -> dict[str, Any]:
        services.delete_backups(project=self.project, versions=versions)
        return {"project": str(self.project.gid)}

    def _left(self, result: dict[str, Any]) -> dict[str, Any]:
        return {"cc.projects": project_entities([self.project])}


class GetParameters(VersionsParameters):
    facts = BooleanParameter(required=False)

    def get_fields(self) -> dict[str, Any]:
        # Names with a dot can't be written as attributes.
        fields = dict(super().get_fields())
        fields["page.size"] = IntegerParameter(
            required=False, min_value=1, max_value=1000, source="page_size"
        )
        fields["page.cursor"] = IntegerParameter(required=False, source="page_cursor")
        return fields


class GetView(ProjectView):
    """POST /api/p/<gid>/backups/get"""

    def post(self, request: Request, gid: str) -> Response:
        parameters = GetParameters.read(request.data)
        with_facts = parameters.get("facts", False)
        next_cursor: int | None = None
        if "version" in parameters or "versions" in parameters:
            asked = [parameters["version"]] if "version" in parameters else parameters["versions"]
            _check_length("versions", len(set(asked)), with_facts)
            backups = services.restorable_versions(self.project, asked, with_facts=with_facts)
        else:
            size = parameters.get("page_size", 100)
            _check_length("page.size", size, with_facts)
            backups, next_cursor = services.page_of_versions(
                self.project,
                size=size,
                below=parameters.get("page_cursor"),
                with_facts=with_facts,
            )
        result = {
            "project": gid,
            "backups": [version_details(backup, with_facts=with_facts) for backup in backups],
            "page.cursor": next_cursor,
        }
        return Response({"result": result})


def _check_length(parameter: str, versions: int, with_facts: bool) -> None:
    if with_facts and versions > MAX_WITH_FACTS:
        raise InvalidParameters(**{parameter: f"must be at most {MAX_WITH_FACTS} with facts"})

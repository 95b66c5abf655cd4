"""/api/p/<gid>/api_keys/"""

from rest_framework.request import Request
from rest_framework.response import Response

from projects import services
from projects.errors import EntityUnknown
from projects.models import ApiKey, Membership, Project
from projects.parameters import NameParameter, Parameters, TextParameter, TimeParameter
from projects.permissions import ProjectView
from projects.serializers import api_key_entity


class CreateKeyParameters(Parameters):
    name = NameParameter()
    role = TextParameter()
    expires_on = TimeParameter(required=False)


class KeysCreateView(ProjectView):
    """POST /api/p/<gid>/api_keys/create"""

    role = Membership.Role.OWNER

    def post(self, request: Request, gid: str) -> Response:
        parameters = CreateKeyParameters.read(request.data)
        made = services.create_api_key(project=self.project, **parameters)
        return Response({"result": {"api_key": made.text, "prefix": made.api_key.prefix}})


def keys_answer(project: Project) -> Response:
    api_keys = ApiKey.objects.filter(project=project).select_related("user")
    roles = dict(Membership.objects.filter(project=project).values_list("user_id", "role"))
    entities = [api_key_entity(item, roles[item.user_id]) for item in api_keys]
    return Response({"result": {"project": str(project.gid), "api_keys": entities}})


class KeysListView(ProjectView):
    """POST /api/p/<gid>/api_keys/list"""

    role = Membership.Role.OWNER

    def post(self, request: Request, gid: str) -> Response:
        return keys_answer(self.project)


class RevokeKeyParameters(Parameters):
    prefix = TextParameter(max_length=16)


class KeysRevokeView(ProjectView):
    """POST /api/p/<gid>/api_keys/revoke"""

    role = Membership.Role.OWNER

    def post(self, request: Request, gid: str) -> Response:
        parameters = RevokeKeyParameters.read(request.data)
        api_key = ApiKey.objects.filter(project=self.project, prefix=parameters["prefix"]).first()
        if api_key is None:
            raise EntityUnknown(prefix=parameters["prefix"])
        services.revoke_api_key(api_key=api_key)
        return keys_answer(self.project)

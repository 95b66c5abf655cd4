"""/sync: the event log by polling; /api/p/<gid>/jobs: jobs as they stand."""

from django.db.models import QuerySet
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from jobs import events, lifecycle
from jobs.errors import JobUnknown
from jobs.models import Job
from projects.access import gid_of, membership_for, visible_project_gids
from projects.models import Membership, Project, User
from projects.parameters import (
    GidParameter,
    IntegerParameter,
    ListParameter,
    Parameters,
    TextParameter,
)
from projects.permissions import ProjectView

# So many jobs are told of when none is named.
LATEST = 100


class CursorsParameters(Parameters):
    project = GidParameter(required=False)


class CursorsView(APIView):
    """POST /sync/cursors: where the logs stand now."""

    def post(self, request: Request) -> Response:
        parameters = CursorsParameters.read(request.data)
        result = {"cc.cursor": events.latest_cursor()}
        if "project" in parameters:
            assert isinstance(request.user, User)
            membership_for(request.user, parameters["project"], Membership.Role.VIEWER)
            result["cursor"] = 0
        return Response({"result": result})


class GetParameters(Parameters):
    cc_cursor = IntegerParameter()
    project = GidParameter(required=False)
    cursor = IntegerParameter(required=False)


class GetView(APIView):
    """POST /sync/get: what came after a cursor."""

    def post(self, request: Request) -> Response:
        parameters = GetParameters.read(request.data)
        assert isinstance(request.user, User)
        if "project" in parameters:
            membership_for(request.user, parameters["project"], Membership.Role.VIEWER)
        found = list(
            events.events_after(
                parameters["cc_cursor"],
                project_gids=visible_project_gids(request.user),
                user_gids=[request.user.gid],
            )[: events.PAGE + 1]
        )
        # Checked after the reading: what was trimmed meanwhile can't be missed unnoticed.
        events.check_cursor(parameters["cc_cursor"])
        result: dict[str, object] = {
            "sync": [events.wire_event(event) for event in found[: events.PAGE]]
        }
        if len(found) > events.PAGE:
            result["warning"] = "there are more events: call again with the last cursor"
        return Response({"result": result})


class JobsGetParameters(Parameters):
    job = TextParameter(required=False)
    jobs = ListParameter(child=TextParameter(), required=False)


class JobsGetView(ProjectView):
    """POST /api/p/<gid>/jobs/get"""

    def post(self, request: Request, gid: str) -> Response:
        parameters = JobsGetParameters.read(request.data)
        if "job" in parameters:
            found = [job_of(self.project, parameters["job"])]
        elif "jobs" in parameters:
            found = _jobs_named(self.project, parameters["jobs"])
        else:
            found = list(jobs_of(self.project)[:LATEST])
        entities = [{"token": str(job.token)} | job.wire() for job in found]
        return Response({"result": {"project": gid, "jobs": entities}})


class CancelParameters(Parameters):
    job = TextParameter()


class JobsCancelView(ProjectView):
    """POST /api/p/<gid>/jobs/cancel"""

    role = Membership.Role.MEMBER

    def post(self, request: Request, gid: str) -> Response:
        parameters = CancelParameters.read(request.data)
        job = lifecycle.cancel(job_of(self.project, parameters["job"]))
        return Response({"result": {"job": str(job.token), "status": job.status}})


def jobs_of(project: Project) -> QuerySet[Job]:
    """The project's jobs, the latest first."""
    return Job.objects.filter(project=project).select_related("project").order_by("-pk")


def job_of(project: Project, text: str) -> Job:
    """The project's job with this token; raises JobUnknown."""
    token = gid_of(text)
    job = jobs_of(project).filter(token=token).first() if token else None
    if job is None:
        raise JobUnknown(text)
    return job


def _jobs_named(project: Project, texts: list[str]) -> list[Job]:
    """The project's jobs with these tokens in this order, each once; raises JobUnknown."""
    tokens = {token: text for text in texts if (token := gid_of(text))}
    found = {job.token: job for job in jobs_of(project).filter(token__in=tokens)}
    for text in texts:
        if gid_of(text) not in found:
            raise JobUnknown(text)
    return [found[token] for token in tokens]

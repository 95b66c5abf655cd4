"""The one table from an error to what a client is told."""

import logging
from dataclasses import dataclass
from typing import Any

from django.conf import settings
from django.core.exceptions import PermissionDenied, RequestDataTooBig
from django.http import Http404, HttpRequest, HttpResponse, JsonResponse
from django.views import defaults
from rest_framework import exceptions
from rest_framework.response import Response
from rest_framework.views import set_rollback

import backups.errors
import jobs.errors
import projects.errors
from config.middleware import request_id_of

logger = logging.getLogger(__name__)

MESSAGES = {
    400: "Bad request",
    401: "Permission denied",
    403: "Forbidden",
    404: "Not found",
    405: "Method not allowed",
    413: "Request entity too large",
    415: "Unsupported media type",
    416: "Range not satisfiable",
    422: "Unprocessable entity",
    429: "Too many requests",
    500: "Internal server error",
    1001: "Validation error",
    1003: "Process error",
}


@dataclass(frozen=True)
class Failure:
    """What a client is told of an error; `code` as in the wire contract."""

    code: int
    info: dict[str, Any]

    @property
    def status(self) -> int:
        return self.code if self.code < 1000 else 422

    @property
    def payload(self) -> dict[str, Any]:
        result = {"code": self.code, "message": MESSAGES[self.code], "info": self.info}
        return {"success": False, "result": result, "data": {}}


def _reasons(detail: Any) -> dict[str, str]:
    if not isinstance(detail, dict):
        return {"body": str(detail[0] if isinstance(detail, list) else detail)}
    return {
        name: " ".join(str(item) for item in (reason if isinstance(reason, list) else [reason]))
        for name, reason in detail.items()
    }


def failure_of(error: BaseException) -> Failure | None:
    """The failure that stands for this error; None for a fault of ours."""
    match error:
        case projects.errors.InvalidParameters(info=info):
            return Failure(400, info)
        case projects.errors.NotAuthenticated():
            return Failure(401, {})
        case projects.errors.NotAllowed() | PermissionDenied():
            return Failure(403, {})
        case projects.errors.EntityUnknown(info=info):
            return Failure(422, info)
        case backups.errors.VersionUnknown(version=version):
            return Failure(422, {"version": version})
        case jobs.errors.JobUnknown(token=token):
            return Failure(422, {"job": token})
        case jobs.errors.CursorUnknown():
            return Failure(422, {"reset": True})
        case projects.errors.InvalidName(info=info):
            return Failure(1001, info)
        case backups.errors.JobNotStarted(process=process, reason=reason):
            return Failure(1003, {"process": process, "reason": reason})
        case backups.errors.RangeNotSatisfiable(size=size):
            return Failure(416, {"size": size})
        case Http404():
            return Failure(404, {})
        case RequestDataTooBig():
            return Failure(413, {})
        case exceptions.NotAuthenticated() | exceptions.AuthenticationFailed():
            return Failure(401, {})
        case exceptions.ValidationError(detail=detail) | exceptions.ParseError(detail=detail):
            return Failure(400, _reasons(detail))
        case exceptions.Throttled():
            return Failure(429, {"retry_after": int(getattr(error, "wait", None) or 1)})
        case exceptions.APIException(status_code=status) if status in MESSAGES:
            return Failure(status, {})
    return None


def answer_exception(error: Exception, context: dict[str, Any]) -> Response:
    """The exception handler of every API view: always an envelope, never a stack trace."""
    failure = failure_of(error)
    if failure is None:
        request_id = request_id_of(context["request"])
        logger.error("request %s failed", request_id, exc_info=error)
        failure = Failure(500, {"request_id": request_id})
    set_rollback()
    response = Response(failure.payload, status=failure.status)
    if failure.code == 401:
        response["WWW-Authenticate"] = f'Bearer realm="{settings.API_REALM}"'
    if failure.code == 429:
        response["Retry-After"] = str(failure.info["retry_after"])
    if failure.code == 416:
        response["Content-Range"] = f"bytes */{failure.info['size']}"
    if failure.code == 405 and (allowed := getattr(context.get("view"), "allowed_methods", None)):
        response["Allow"] = ", ".join(allowed)
    return response


def _is_api(request: HttpRequest) -> bool:
    return request.path.strip("/").partition("/")[0] in ("api", "sync")


def _answer(failure: Failure) -> JsonResponse:
    return JsonResponse(failure.payload, status=failure.status)


def bad_request(request: HttpRequest, exception: Exception) -> HttpResponse:
    """handler400: what Django itself refuses, such as a host that is not ours."""
    if _is_api(request):
        return _answer(failure_of(exception) or Failure(400, {}))
    return defaults.bad_request(request, exception)


def permission_denied(request: HttpRequest, exception: Exception) -> HttpResponse:
    """handler403."""
    if _is_api(request):
        return _answer(Failure(403, {}))
    return defaults.permission_denied(request, exception)


def not_found(request: HttpRequest, exception: Exception) -> HttpResponse:
    """handler404: a path that no view serves."""
    if _is_api(request):
        return _answer(Failure(404, {}))
    return defaults.page_not_found(request, exception)


def server_error(request: HttpRequest) -> HttpResponse:
    """handler500: a fault outside the API views; Django has logged it."""
    if _is_api(request):
        return _answer(Failure(500, {"request_id": request_id_of(request)}))
    return defaults.server_error(request)

"""/api/schema and /api/docs/: for everybody, and not in the envelope."""

from drf_spectacular.views import SpectacularSwaggerSplitView
from rest_framework.renderers import JSONRenderer
from rest_framework.request import Request
from rest_framework.response import Response

from config.envelope import EnvelopeRenderer
from config.openapi.document import whole_document
from config.signin import PublicView


class SchemaView(PublicView):
    """GET /api/schema: the OpenAPI document, as JSON."""

    schema = None
    http_method_names = ("get", "head")
    renderer_classes = (JSONRenderer,)

    def get(self, request: Request) -> Response:
        return Response(whole_document())


class DocsView(SpectacularSwaggerSplitView):
    """GET /api/docs/: the document to read and to try out, by Swagger UI from our own assets."""

    schema = None
    http_method_names = ("get", "head")
    authentication_classes = ()
    throttle_classes = ()
    url = "/api/schema"

    def handle_exception(self, exc: Exception) -> Response:
        """An error is in the envelope here too."""
        self.request.accepted_renderer = EnvelopeRenderer()
        return super().handle_exception(exc)

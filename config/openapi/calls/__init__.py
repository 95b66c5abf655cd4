"""Every endpoint's description, in the order in which docs/api.md tells of them."""

from rest_framework.views import APIView

from config.openapi.call import Call
from config.openapi.calls import backups, jobs, members, projects, sign_in

TAGS = {
    sign_in.TAG: "Who calls: tokens, and what a client starts from.",
    projects.TAG: "Projects and the people in them, across projects.",
    members.TAG: "What a project's owner says about members and API keys.",
    backups.TAG: "Versions of a project's database.",
    jobs.TAG: "What was asked for and how far it is, and the log of all events."
    " The same log comes by websocket, see docs/websocket.md.",
}

CALLS: dict[type[APIView], Call] = (
    sign_in.CALLS | projects.CALLS | members.CALLS | backups.CALLS | jobs.CALLS
)

"""A project's members and API keys."""

from rest_framework.views import APIView

from config.openapi.call import Call
from config.openapi.calls.projects import PERSON
from config.openapi.calls.sign_in import KEY
from config.openapi.entities import (
    API_KEY,
    KEY_PREFIX,
    MEMBER_GID,
    MEMBERSHIPS,
    PROJECT,
    gid,
)
from config.openapi.failures import INVALID_NAME, unknown
from config.openapi.shapes import Shape, list_of, record, text
from projects.membership import GIVEN_ROLES
from projects.views import api_keys, members

TAG = "Members and keys"
MEMBER = record({"project": PROJECT, "member": gid(MEMBER_GID)})
MEMBER_DATA = record({"cc.users": PERSON, "cc.projects_members": MEMBERSHIPS})
NOBODY = unknown("no such person", record({"user": text("nobody")}))
KEYS = record({"project": PROJECT, "api_keys": list_of(API_KEY)})
ROLE: dict[str, Shape] = {"role": {"enum": [str(role) for role in GIVEN_ROLES]}}

CALLS: dict[type[APIView], Call] = {
    members.MembersSetView: Call(
        TAG,
        "Add a member, or change a member's role",
        MEMBER,
        MEMBER_DATA,
        takes=members.SetMemberParameters,
        body={"user": MEMBER_GID, "role": "viewer"},
        notes=ROLE | {"user": {"description": "A gid or a username."}},
        fails=(NOBODY,),
        description="For the owner, whose own role nobody can change.",
    ),
    members.MembersRemoveView: Call(
        TAG,
        "Remove a member",
        MEMBER,
        MEMBER_DATA,
        takes=members.MemberParameters,
        body={"user": MEMBER_GID},
        notes={"user": {"description": "A gid or a username."}},
        fails=(NOBODY,),
        description="For the owner, who can't be removed. What the member did stays.",
    ),
    api_keys.KeysCreateView: Call(
        TAG,
        "Make an API key",
        record({"api_key": text(KEY), "prefix": text(KEY_PREFIX)}),
        takes=api_keys.CreateKeyParameters,
        body={"name": "nightly import", "role": "member", "expires_on": 4102444800},
        notes=ROLE,
        fails=(INVALID_NAME,),
        description="For the owner. The key is shown here and never again: only its hash is kept.",
    ),
    api_keys.KeysListView: Call(
        TAG, "The project's API keys", KEYS, description="For the owner. The latest first."
    ),
    api_keys.KeysRevokeView: Call(
        TAG,
        "End an API key",
        KEYS,
        takes=api_keys.RevokeKeyParameters,
        body={"prefix": KEY_PREFIX},
        fails=(unknown("no such key", record({"prefix": text("no such key")})),),
        description="For the owner. Ends every session begun with it, at once.",
    ),
}

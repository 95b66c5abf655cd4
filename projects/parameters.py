"""Parameters of a body, read strictly: the JSON type must be the one that is asked for."""

from typing import Any, TypeVar
from uuid import UUID

from django.utils.translation import gettext_lazy as _
from rest_framework import serializers

from projects.access import gid_of
from projects.errors import InvalidParameters

MAX_INTEGER = 2**63 - 1

S = TypeVar("S", bound="Parameters")


def unshowable(text: str) -> str | None:
    """Why this text can't be stored or sent as it is; None if it can."""
    if "\x00" in text:
        return "must not contain NUL"
    if any(0xD800 <= ord(character) <= 0xDFFF for character in text):
        return "must not contain lone surrogates"
    return None


class TextParameter(serializers.CharField):
    """A JSON string, kept as given."""

    default_error_messages = {"not_text": _("must be a string")}

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(trim_whitespace=False, **kwargs)

    def to_internal_value(self, data: Any) -> str:
        if not isinstance(data, str):
            self.fail("not_text")
        if reason := unshowable(data):
            raise serializers.ValidationError(reason)
        return super().to_internal_value(data)


class IntegerParameter(serializers.IntegerField):
    """A JSON whole number; not a string of digits, not a fraction, not a boolean."""

    default_error_messages = {"not_integer": _("must be a whole number")}

    def __init__(self, **kwargs: Any) -> None:
        kwargs.setdefault("max_value", MAX_INTEGER)
        kwargs.setdefault("min_value", 0)
        super().__init__(**kwargs)

    def to_internal_value(self, data: Any) -> int:
        if not isinstance(data, int) or isinstance(data, bool):
            self.fail("not_integer")
        return data


class GidParameter(serializers.Field):
    """A gid as text. One that is no gid is passed on as None: it names nothing that exists."""

    default_error_messages = {"not_text": _("must be a string")}

    def to_internal_value(self, data: Any) -> UUID | None:
        if not isinstance(data, str):
            self.fail("not_text")
        return gid_of(data)


class Parameters(serializers.Serializer[Any]):
    """The parameters of one endpoint; those that it does not know are ignored."""

    @classmethod
    def read(cls: type[S], body: Any) -> dict[str, Any]:
        """The checked values; raises InvalidParameters with a reason for each bad one."""
        parameters = cls(data=body)
        if not parameters.is_valid():
            raise InvalidParameters(
                **{
                    name: " ".join(str(reason) for reason in reasons)
                    for name, reasons in parameters.errors.items()
                }
            )
        return dict(parameters.validated_data)

"""Parameters of a body, read strictly: the JSON type must be the one that is asked for."""

from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any, TypeVar
from uuid import UUID

from django.utils.translation import gettext_lazy as _
from rest_framework import serializers

from projects.access import gid_of
from projects.errors import InvalidParameters

MAX_INTEGER = 2**63 - 1
# The most gids, versions or the like that one call may name.
MAX_ITEMS = 1000

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


class NameParameter(serializers.Field):
    """A JSON string whose rules have an error of their own: the service checks them."""

    default_error_messages = {"not_text": _("must be a string")}

    def to_internal_value(self, data: Any) -> str:
        if not isinstance(data, str):
            self.fail("not_text")
        return str(data)


class ObjectParameter(serializers.Field):
    """A JSON object without texts that can't be stored."""

    default_error_messages = {"not_object": _("must be an object")}

    def to_internal_value(self, data: Any) -> dict[str, Any]:
        if not isinstance(data, dict):
            self.fail("not_object")
        if reason := next(filter(None, map(unshowable, _texts(data))), None):
            raise serializers.ValidationError(reason)
        return dict(data)


def _texts(value: Any) -> Iterator[str]:
    """All strings in a JSON value, keys included. The parser has bounded its depth."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict):
        for key, item in value.items():
            yield key
            yield from _texts(item)
    elif isinstance(value, list):
        for item in value:
            yield from _texts(item)


class TimeParameter(serializers.FloatField):
    """A timestamp: a JSON number of seconds since the epoch, read as a moment in UTC."""

    default_error_messages = {"not_number": _("must be a number")}

    def to_internal_value(self, data: Any) -> datetime:  # type: ignore[override]
        if not isinstance(data, int | float) or isinstance(data, bool):
            self.fail("not_number")
        try:
            return datetime.fromtimestamp(data, UTC)
        except (OverflowError, ValueError, OSError):
            raise serializers.ValidationError("is out of range") from None


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


class BooleanParameter(serializers.BooleanField):
    """JSON's true or false; no number and no text that stands for it."""

    default_error_messages = {"not_boolean": _("must be true or false")}

    def to_internal_value(self, data: Any) -> bool:
        if not isinstance(data, bool):
            self.fail("not_boolean")
        return data


class GidParameter(serializers.Field):
    """A gid as text. One that is no gid is passed on as None: it names nothing that exists."""

    default_error_messages = {"not_text": _("must be a string")}

    def to_internal_value(self, data: Any) -> UUID | None:
        if not isinstance(data, str):
            self.fail("not_text")
        return gid_of(data)


class ListParameter(serializers.ListField):
    """A JSON list of bounded length."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(max_length=MAX_ITEMS, **kwargs)


class Parameters(serializers.Serializer[Any]):
    """The parameters of one endpoint; those that it does not know are ignored."""

    @classmethod
    def read(cls: type[S], body: Any) -> dict[str, Any]:
        """The checked values; raises InvalidParameters with a reason for each bad one."""
        parameters = cls(data=body)
        if not parameters.is_valid():
            raise InvalidParameters(
                **{name: " ".join(_reasons(reasons)) for name, reasons in parameters.errors.items()}
            )
        return dict(parameters.validated_data)


def _reasons(errors: Any) -> list[str]:
    """The reasons in what the serializer says of one parameter, without repeats."""
    if isinstance(errors, dict):
        errors = [reason for reasons in errors.values() for reason in _reasons(reasons)]
    return list(dict.fromkeys(str(error) for error in errors))


def one_or_several(parameters: dict[str, Any], one: str, several: str) -> list[Any]:
    """What a call names by `one` or `several`; `one` wins. Raises InvalidParameters for neither."""
    if one in parameters:
        return [parameters[one]]
    if several in parameters:
        return list(parameters[several])
    raise InvalidParameters(**{one: f"is required, or {several}"})

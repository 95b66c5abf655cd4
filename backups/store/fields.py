"""Reading a decoded map with the types that its format promises."""

from collections.abc import Mapping
from typing import Any, NoReturn, TypeGuard

from backups.errors import ManifestUnreadable


class Fields:
    """A decoded map. Each reader raises ManifestUnreadable when the field is not as told."""

    def __init__(self, found: object) -> None:
        if not isinstance(found, dict):
            raise ManifestUnreadable("the manifest is not a map")
        self._found: dict[Any, Any] = found

    def text(self, name: str) -> str:
        """A text."""
        found = self._found.get(name)
        if not isinstance(found, str):
            self._refuse(name)
        return found

    def number(self, name: str, *, least: int = 0) -> int:
        """A whole number from `least` on that fits into 63 bits."""
        found = self._found.get(name)
        if not _is_number(found) or not least <= found < 1 << 63:
            self._refuse(name)
        return found

    def number_or_none(self, name: str) -> int | None:
        """A whole number, or null; the field must be there."""
        if name in self._found and self._found[name] is None:
            return None
        return self.number(name)

    def numbers(self, name: str) -> list[int]:
        """A list of whole numbers, negative ones too."""
        found = self._found.get(name)
        if not isinstance(found, list) or not all(map(_is_number, found)):
            self._refuse(name)
        return found

    def texts(self, name: str) -> list[str]:
        """A list of texts."""
        found = self._found.get(name)
        if not isinstance(found, list) or not all(isinstance(text, str) for text in found):
            self._refuse(name)
        return found

    def real(self, name: str) -> float:
        """A number."""
        found = self._found.get(name)
        if not isinstance(found, float) and not _is_number(found):
            self._refuse(name)
        return float(found)

    def data(self, name: str, *, length: int | None = None, step: int = 1) -> bytes:
        """Bytes: `length` of them, or a multiple of `step`."""
        found = self._found.get(name)
        if not isinstance(found, bytes) or len(found) % step:
            self._refuse(name)
        if length is not None and len(found) != length:
            self._refuse(name)
        return found

    def mapping(self, name: str) -> Mapping[str, Any]:
        """A map with texts as keys."""
        found = self._found.get(name)
        if not isinstance(found, dict) or not all(isinstance(key, str) for key in found):
            self._refuse(name)
        return found

    def inner(self, name: str) -> "Fields":
        """A map that is read by the same means."""
        return Fields(self._found.get(name))

    def _refuse(self, name: str) -> NoReturn:
        raise ManifestUnreadable(f"the manifest's field {name} is missing or wrong")


def _is_number(found: object) -> TypeGuard[int]:
    return type(found) is int  # True is an int too

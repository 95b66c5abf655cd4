"""What a version may be called."""

import re
import unicodedata

from projects.errors import InvalidName, InvalidParameters
from projects.names import MAX_LENGTH, NO_HIDDEN, has_hidden, shown_name, visible_text

__all__ = ["MAX_LENGTH", "checked_maker", "checked_name", "default_name"]

# Compatibility forms are folded before: full-width letters, circled digits, odd spaces.
IMITATION = re.compile(r"backup\s*(\d+)")


def default_name(version: int) -> str:
    return f"Backup {version}"


def checked_maker(created_by: str) -> str:
    """Who a version is said to be made by, as it was given; raises InvalidParameters."""
    if has_hidden(created_by):
        raise InvalidParameters(created_by=NO_HIDDEN)
    if not visible_text(created_by):
        raise InvalidParameters(created_by="must not be blank")
    return created_by


def checked_name(name: str, version: int) -> str:
    """The name in normal form C, fit for this version; raises InvalidName with the reason.

    A name that looks like another version's default name is refused, whatever the case, the white
    space or the script of its digits: people would restore the wrong version.
    """
    name = shown_name(name)
    imitated = IMITATION.fullmatch(_with_plain_digits(visible_text(name).casefold()))
    if imitated and int(imitated[1]) != version:
        raise InvalidName(
            name=f"names like {default_name(version)!r} are given by number only:"
            f" this one belongs to version {int(imitated[1])}"
        )
    return name


def _with_plain_digits(text: str) -> str:
    """The text with every sign for a whole number, of whatever script, as that number."""

    def plain(character: str) -> str:
        number = float(unicodedata.numeric(character, -1.0))
        return str(int(number)) if number >= 0 and number.is_integer() else character

    # A number's own full stop, and the frame around a key's number.
    return "".join(map(plain, text)).rstrip(".\u20e3")

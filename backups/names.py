"""What a version may be called."""

import re
import unicodedata

from projects.errors import InvalidName
from projects.parameters import unshowable

MAX_LENGTH = 200
# Compatibility forms are folded before: full-width letters, circled digits, odd spaces.
IMITATION = re.compile(r"backup\s*(\d+)")
# Characters that change the direction of the text around them (Unicode, UAX 9).
DIRECTION = set("\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069\u200e\u200f\u061c")


def default_name(version: int) -> str:
    return f"Backup {version}"


def checked_name(name: str, version: int) -> str:
    """The name in normal form C, fit for this version; raises InvalidName with the reason.

    A name that looks like another version's default name is refused, whatever the case, the white
    space or the script of its digits: people would restore the wrong version.
    """
    name = unicodedata.normalize("NFC", name)
    if unshowable(name) or any(
        unicodedata.category(character) == "Cc" or character in DIRECTION for character in name
    ):
        raise InvalidName(name="must not contain control or direction characters")
    if not visible_text(name):
        raise InvalidName(name="must not be blank")
    if len(name) > MAX_LENGTH:
        raise InvalidName(name=f"must have at most {MAX_LENGTH} characters")
    imitated = IMITATION.fullmatch(visible_text(name).casefold())
    if imitated and int(imitated[1]) != version:
        raise InvalidName(name=f"names like {default_name(version)!r} are given by number only")
    return name


def visible_text(text: str) -> str:
    """The text as an eye sees it: compatibility forms folded, without what has no width."""
    folded = unicodedata.normalize("NFKC", text)
    return "".join(
        character for character in folded if unicodedata.category(character) != "Cf"
    ).strip()

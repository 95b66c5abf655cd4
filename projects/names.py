"""Names that people give: kept as they are in normal form C, unless they hide what they are."""

import unicodedata

from projects.errors import InvalidName

MAX_LENGTH = 200
# Characters that change the direction of the text around them (Unicode, UAX 9).
DIRECTION = set("\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069\u200e\u200f\u061c")
# Characters that show nothing though they are no format characters: fillers, joiners, variation
# selectors (Unicode's Default_Ignorable_Code_Point outside category Cf) and the blank braille cell.
INVISIBLE = {
    chr(code)
    for first, last in (
        (0x034F, 0x034F),
        (0x115F, 0x1160),
        (0x17B4, 0x17B5),
        (0x180B, 0x180F),
        (0x2800, 0x2800),
        (0x3164, 0x3164),
        (0xFE00, 0xFE0F),
        (0xFFA0, 0xFFA0),
        (0x2065, 0x2065),
        (0xFFF0, 0xFFF8),
        (0xE0000, 0xE0FFF),
    )
    for code in range(first, last + 1)
}
# Control characters, lone surrogates, and line and paragraph separators.
HIDDEN = ("Cc", "Cs", "Zl", "Zp")


NO_HIDDEN = "must not contain control or direction characters"


def has_hidden(text: str) -> bool:
    """Whether characters are in it that would change how it, or what is around it, is shown."""
    return any(
        unicodedata.category(character) in HIDDEN or character in DIRECTION for character in text
    )


def shown_name(name: str) -> str:
    """The name in normal form C; raises InvalidName if it is blank, too long or can't be shown."""
    name = unicodedata.normalize("NFC", name)
    if has_hidden(name):
        raise InvalidName(name=NO_HIDDEN)
    if not visible_text(name):
        raise InvalidName(name="must not be blank")
    if len(name) > MAX_LENGTH:
        raise InvalidName(name=f"must have at most {MAX_LENGTH} characters")
    return name


def visible_text(text: str) -> str:
    """The text as an eye sees it: compatibility forms folded, without what has no width."""
    folded = unicodedata.normalize("NFKC", text)
    return "".join(
        character
        for character in folded
        if unicodedata.category(character) != "Cf" and character not in INVISIBLE
    ).strip()

"""Log lines: whatever others wrote into them, each record is one that nobody else can forge."""

import logging
import unicodedata

_HIDDEN = ("Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp")


def escaped(text: str) -> str:
    """The text on one line, with all that would steer a terminal or a reader's eye as its code."""
    if text.isascii() and text.isprintable():
        return text
    return "".join(
        character.encode("unicode_escape").decode("ascii")
        if unicodedata.category(character) in _HIDDEN
        else character
        for character in text
    )


class OneLine(logging.Formatter):
    """A record is one line; the lines of a traceback are indented, so that none looks like one."""

    def formatMessage(self, record: logging.LogRecord) -> str:  # noqa: N802
        record.message = escaped(record.message)
        return super().formatMessage(record)

    def formatException(self, ei: object) -> str:  # noqa: N802
        return _indented(super().formatException(ei))  # type: ignore[arg-type]

    def formatStack(self, stack_info: str) -> str:  # noqa: N802
        return _indented(super().formatStack(stack_info))


def _indented(text: str) -> str:
    # By line feeds alone: whatever else ends a line somewhere is escaped.
    return "\n".join(f"    {escaped(line)}" for line in text.split("\n"))

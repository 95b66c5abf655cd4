"""What all commands of Savepoint have in common."""

import os
import sys
import unicodedata
from collections.abc import Iterable
from datetime import UTC, datetime
from typing import Any

from django.core.management.base import BaseCommand, CommandError
from django.db import DatabaseError
from rich.cells import cell_len

from projects.errors import InvalidAddress, NotAllowed, Refused

INTERRUPTED = 130


class ServiceCommand(BaseCommand):
    """A command over the services: what they refuse is told in one line, with exit code 1."""

    # What the services that the command uses raise when they refuse.
    refusals: tuple[type[Exception], ...] = (Refused, InvalidAddress, NotAllowed)

    def run_from_argv(self, argv: list[str]) -> None:
        try:
            super().run_from_argv(argv)
            sys.stdout.flush()
        except BrokenPipeError:
            # Whoever read the output has had enough. Python flushes once more when it ends.
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        except KeyboardInterrupt:
            sys.exit(INTERRUPTED)

    def execute(self, *args: Any, **options: Any) -> str | None:
        try:
            return super().execute(*args, **options)
        except self.refusals as error:
            raise CommandError(reason_of(error)) from error
        except DatabaseError as error:
            raise CommandError(f"Savepoint's own database: {error}") from error


def reason_of(error: Exception) -> str:
    """What was refused, in one line."""
    if isinstance(error, Refused):
        return "; ".join(f"{name}: {reason}" for name, reason in error.info.items())
    if isinstance(error, NotAllowed):
        return "the project is deleted"
    return str(error)


def shown(text: object) -> str:
    """The text without what would steer a terminal: control characters become question marks."""
    return "".join(
        "?" if unicodedata.category(character) in ("Cc", "Cs") else character
        for character in str(text)
    )


def iso(moment: datetime | None) -> str:
    """The moment in UTC, to the second; a dash for none."""
    if moment is None:
        return "-"
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def table(titles: tuple[str, ...], rows: Iterable[tuple[object, ...]]) -> str:
    """The rows in columns, as wide as their widest text, below their titles."""
    lines = [titles, *(tuple(shown(cell) for cell in row) for row in rows)]
    widths = [max(map(cell_len, column)) for column in zip(*lines, strict=True)]
    return "\n".join(
        "  ".join(
            cell + " " * (width - cell_len(cell)) for cell, width in zip(line, widths, strict=True)
        ).rstrip()
        for line in lines
    )

from typing import Any

from django.core.checks.registry import register, registry
from django.core.management.commands import check

from backups.checks import tell_sqlite


class Command(check.Command):
    """Django's own command, which also tells what reads and writes the project databases."""

    def handle(self, *app_labels: Any, **options: Any) -> None:
        # If it stayed registered, every command would print it.
        register(tell_sqlite)
        try:
            super().handle(*app_labels, **options)
        finally:
            registry.registered_checks.discard(tell_sqlite)

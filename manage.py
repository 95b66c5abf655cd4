#!/usr/bin/env python
"""Run Savepoint's administrative commands."""

import os
import sys


def recover(arguments: list[str]) -> int:
    """Needs no Django: settings, keys and Savepoint's own database may be what was lost."""
    from backups.recovery.command import main
    from config.keys import store_key_places

    return main(arguments, prog="manage.py restore_from_store", environment=store_key_places())


def main() -> None:
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings")
    # What is written here holds other people's data and secrets: for this user only.
    os.umask(0o077)
    if sys.argv[1:2] == ["restore_from_store"]:
        sys.exit(recover(sys.argv[2:]))
    from django.core.exceptions import ImproperlyConfigured
    from django.core.management import execute_from_command_line
    from environs import EnvError

    try:
        execute_from_command_line(sys.argv)
    except (ImproperlyConfigured, EnvError) as error:
        sys.exit(f"Savepoint can't start: {error}")


if __name__ == "__main__":
    main()

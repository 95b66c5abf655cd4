"""An application of Django's, run as a process of its own: it reads and writes its database all
the time on one kept connection, and tells at the end whether all that it read was as it must be.

    python -m tests.life.bank setup DATABASE MODE
    python -m tests.life.bank run DATABASE NAME LOG

Each transaction adds an entry to an account and the same amount to its balance. So whatever is
committed, each balance is the sum of its entries. An entry's name goes to LOG once it is committed.
It ends when its input does, and prints what it did, as JSON.
"""

import json
import random
import sys
import threading
import time
from typing import TextIO

import django
from django.conf import settings

ACCOUNTS = 20
BUSY_SECONDS = 20.0


def configure(database: str) -> None:
    """Settings like a project's: the connection is kept, writers wait for each other."""
    settings.configure(
        DATABASES={
            "default": {
                "ENGINE": "django.db.backends.sqlite3",
                "NAME": database,
                "CONN_MAX_AGE": None,
                "OPTIONS": {"timeout": BUSY_SECONDS, "transaction_mode": "IMMEDIATE"},
            }
        },
        INSTALLED_APPS=["tests.life.bank"],
        DEFAULT_AUTO_FIELD="django.db.models.BigAutoField",
    )
    django.setup()


def setup(mode: str) -> None:
    """Make the tables and some accounts, in this journal mode."""
    from django.db import connection

    from .models import Account, Entry

    with connection.cursor() as cursor:
        cursor.execute(f"PRAGMA journal_mode = {mode}")
    with connection.schema_editor() as editor:
        editor.create_model(Account)
        editor.create_model(Entry)
    Account.objects.bulk_create([Account(number=number) for number in range(ACCOUNTS)])
    connection.close()


class Clerk:
    """What the process does over and over."""

    def __init__(self, name: str, log: TextIO) -> None:
        self.name, self.log = name, log
        self.random = random.Random(name)
        self.reads = self.writes = 0
        self.faults: list[str] = []
        self.waited: list[float] = []

    def work(self, stopped: threading.Event) -> None:
        """Write and read until it is stopped, or something is not as it must be."""
        from django.db import OperationalError

        while not (stopped.is_set() or self.faults):
            begun = time.monotonic()
            try:
                self.write()
                self.read()
            except OperationalError as error:
                seconds = time.monotonic() - begun
                if "locked" in str(error) and seconds > BUSY_SECONDS * 0.9:
                    self.waited.append(seconds)
                else:
                    self.faults.append(f"{error} after {seconds} seconds")
            except Exception as error:
                self.faults.append(repr(error))

    def write(self) -> None:
        """One transaction; the entry is logged when it is committed."""
        from django.db import transaction
        from django.db.models import F

        from .models import Account

        name = f"{self.name}-{self.writes}"
        amount = self.random.randrange(-1000, 1000)
        with transaction.atomic():
            account = Account.objects.get(number=self.random.randrange(ACCOUNTS))
            account.entries.create(
                amount=amount, name=name, note="x" * amount if amount > 0 else ""
            )
            Account.objects.filter(pk=account.pk).update(balance=F("balance") + amount)
        self.log.write(name + "\n")
        self.writes += 1

    def read(self) -> None:
        """All balances are the sums of their entries: in one query, and in a transaction of more."""
        from django.db import transaction
        from django.db.models import Sum
        from django.db.models.functions import Coalesce

        from .models import Account, Entry

        summed = Account.objects.annotate(sum=Coalesce(Sum("entries__amount"), 0))
        for account in summed:
            if account.balance != account.sum:
                self.faults.append(f"{account.number} has {account.balance}, not {account.sum}")
        with transaction.atomic():
            balances = Account.objects.aggregate(sum=Sum("balance"))["sum"]
            amounts = Entry.objects.aggregate(sum=Sum("amount"))["sum"]
            if balances != (amounts or 0):
                self.faults.append(f"{balances} in all accounts, {amounts} in all entries")
        self.reads += 1


def run(name: str, log: str) -> None:
    """Work until the input ends."""
    stopped = threading.Event()
    threading.Thread(target=lambda: (sys.stdin.read(), stopped.set()), daemon=True).start()
    with open(log, "a", buffering=1) as lines:
        clerk = Clerk(name, lines)
        clerk.work(stopped)
    told = {key: getattr(clerk, key) for key in ("reads", "writes", "faults", "waited")}
    sys.stdout.write(json.dumps(told))


if __name__ == "__main__":
    task, database, *arguments = sys.argv[1:]
    configure(database)
    {"setup": setup, "run": run}[task](*arguments)

"""How often something was done lately, counted for all web processes of this machine together.

A file of its own below the run folder: a table with one row for each thing that is counted, which
lives no longer than it says something. It is no part of Savepoint's own database, as each call is
a write, and nothing is lost with it but a count.
"""

import logging
import os
import sqlite3
import threading
import time
from pathlib import Path

from django.conf import settings

logger = logging.getLogger(__name__)

_BUSY_SECONDS = 2.0
_FORGET_EVERY_SECONDS = 60.0
_TABLE = """
CREATE TABLE IF NOT EXISTS counters (key TEXT PRIMARY KEY, full_until REAL NOT NULL) WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS counters_by_end ON counters (full_until);
"""
# A moment more than a period ahead is from a clock that was ahead, or a rate of before: it says
# nothing. The thousandth is for what is lost in reckoning with fractions.
_BEGUN = "CASE WHEN full_until > :now + :seconds + :each THEN :now ELSE max(full_until, :now) END"
_TAKE = f"""
INSERT INTO counters VALUES (:key, :now + :each)
ON CONFLICT (key) DO UPDATE SET full_until = {_BEGUN} + :each
WHERE {_BEGUN} + :each <= :now + :seconds + :each / 1000
RETURNING full_until
"""  # noqa: S608 - put together of what stands here


class Counters:
    """Shares of so many things a period, each by its key; a share fills again bit by bit.

    Of each share one moment is kept: when it is whole again if nothing more is taken of it.
    """

    def __init__(self, path: Path | None) -> None:
        self._connection = sqlite3.connect(
            path or ":memory:", timeout=_BUSY_SECONDS, isolation_level=None, check_same_thread=False
        )
        self._connection.execute("PRAGMA journal_mode = WAL")
        # After a power failure nobody needs to know how often somebody called before it.
        self._connection.execute("PRAGMA synchronous = OFF")
        self._connection.executescript(_TABLE)
        self._lock = threading.Lock()
        self._forget_at = 0.0

    def take(self, key: str, most: int, seconds: float) -> float:
        """Take one of the `most` things that there are in so many seconds; returns 0, or after how
        many seconds there is one again. Raises sqlite3.Error."""
        if most <= 0:
            return seconds
        each = seconds / most
        now = time.time()
        with self._lock:
            if now >= self._forget_at:
                self._connection.execute("DELETE FROM counters WHERE full_until <= ?", (now,))
                self._forget_at = now + _FORGET_EVERY_SECONDS
            taken = self._connection.execute(
                _TAKE, {"key": key, "now": now, "each": each, "seconds": seconds}
            ).fetchone()
            if taken is not None:
                return 0.0
            (until,) = self._connection.execute(
                "SELECT full_until FROM counters WHERE key = ?", (key,)
            ).fetchone()
        return max(0.001, float(until) + each - seconds - now)

    def close(self) -> None:
        self._connection.close()


_lock = threading.Lock()
_opened: dict[tuple[int, Path], Counters] = {}
_alone: dict[int, Counters] = {}


def take(key: str, most: int, seconds: float) -> float:
    """See `Counters.take`. Where the file can't be used, this process counts alone."""
    path = Path(settings.RUN_DIR) / "counters.sqlite3"
    try:
        return _shared(path).take(key, most, seconds)
    except (sqlite3.Error, OSError) as error:
        logger.warning("calls are counted by each process alone: %s", error)
        if isinstance(error, sqlite3.DatabaseError) and not isinstance(
            error, sqlite3.OperationalError
        ):
            _discard(path)
    with _lock:
        counters = _alone.setdefault(os.getpid(), Counters(None))
    return counters.take(key, most, seconds)


def _shared(path: Path) -> Counters:
    # A connection must not be used on the other side of a fork.
    place = os.getpid(), path
    with _lock:
        if place not in _opened:
            path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            _opened[place] = Counters(path)
        return _opened[place]


def _discard(path: Path) -> None:
    """Begin anew with a file that is no good any more."""
    with _lock:
        if counters := _opened.pop((os.getpid(), path), None):
            counters.close()
        for suffix in ("", "-wal", "-shm"):
            path.with_name(path.name + suffix).unlink(missing_ok=True)

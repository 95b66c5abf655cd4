"""What kind of file an uploaded one is, by how it begins."""

import math
from collections import Counter

LOOKED_AT_BYTES = 1 << 16
"""So much of a file's beginning is looked at."""

WAL_REMARK = "the file is in WAL mode; changes that were only in its -wal file are not in it"

_SQLITE = b"SQLite format 3\0"
_FILE_FORMAT = slice(18, 20)  # who writes and who reads it: 1 = rollback journal, 2 = WAL
_COMPRESSED = (b"\x1f\x8b", b"PK\3\4", b"BZh", b"\xfd7zXZ\0", b"\x28\xb5\x2f\xfd", b"7z\xbc\xaf")
# Of 8 bits a byte. What is enciphered has 7.95 in a single page already; a database hardly 7.
_RANDOM_BITS = 7.9


def refusal_of(beginning: bytes) -> str | None:
    """Why a file that begins so can't be imported; None if it is a SQLite database.

    A file of no bytes is one: SQLite's database with nothing in it.
    """
    if not beginning or beginning.startswith(_SQLITE):
        return None
    if beginning.startswith(_COMPRESSED):
        return "is compressed: unpack it, and import the SQLite database that is in it"
    if _bits_per_byte(beginning) > _RANDOM_BITS:
        return (
            "is not a SQLite database, but perhaps an encrypted one (e.g. by SQLCipher): Savepoint"
            " takes what SQLite can open, so decrypt it first"
        )
    return "is not a SQLite database"


def remarks_on(beginning: bytes) -> list[str]:
    """What to know of a SQLite database that came as a file and begins so."""
    return [WAL_REMARK] if beginning[_FILE_FORMAT] == b"\2\2" else []


def _bits_per_byte(data: bytes) -> float:
    """The entropy of the bytes by how often each occurs."""
    shares = (count / len(data) for count in Counter(data).values())
    return -sum(share * math.log2(share) for share in shares)

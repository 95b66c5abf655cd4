"""What kind of file an uploaded one is, by how it begins."""

from backups.engines.sqlite_header import COMPRESSED, MAGIC, perhaps_encrypted

LOOKED_AT_BYTES = 1 << 16
"""How many bytes of a file's beginning are looked at."""

WAL_REMARK = "the file is in WAL mode; changes that were only in its -wal file are not in it"

_FILE_FORMAT = slice(18, 20)  # who writes and who reads it: 1 = rollback journal, 2 = WAL


def refusal_of(beginning: bytes) -> str | None:
    """Why a file with this beginning can't be imported; None if it is a SQLite database.

    A file of no bytes is one: SQLite's database with nothing in it.
    """
    if not beginning or beginning.startswith(MAGIC):
        return None
    if beginning.startswith(COMPRESSED):
        return "is compressed: unpack it, and import the SQLite database that is in it"
    if perhaps_encrypted(beginning):
        return (
            "is not a SQLite database, but perhaps an encrypted one (e.g. by SQLCipher): Savepoint"
            " takes what SQLite can open, so decrypt it first"
        )
    return "is not a SQLite database"


def remarks_on(beginning: bytes) -> list[str]:
    """Notes for the user about an imported SQLite database with this beginning."""
    return [WAL_REMARK] if beginning[_FILE_FORMAT] == b"\2\2" else []

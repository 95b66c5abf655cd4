"""The fields of a SQLite file's first page that a restore has to look at or to change.

Offsets are those of "The Database Header" in SQLite's file format description.
"""

from collections import Counter
from math import log, log2

from backups.engines.sqlite_mark import COOKIE_STEP, COOKIES
from backups.errors import NotADatabase

MAGIC = b"SQLite format 3\0"
LOCK_BYTE = 1 << 30

_PAGE_SIZE = slice(16, 18)  # 1 stands for 65536
_FILE_FORMAT = slice(18, 20)  # 1 = rollback journal, 2 = WAL
_RESERVED = 20
_CHANGES = slice(24, 28)
_PAGES = slice(28, 32)
_FREELIST = slice(32, 40)
_COOKIE = slice(40, 44)
_LARGEST_ROOT = slice(52, 56)  # not 0 in auto-vacuum databases
_ENCODING = slice(56, 60)
_CHANGES_COUNTED = slice(92, 96)
_WRITER = slice(96, 100)
# gzip, zip, zstd, xz, bzip2, 7z
COMPRESSED = (b"\x1f\x8b", b"PK\3\4", b"\x28\xb5\x2f\xfd", b"\xfd7zXZ\0", b"BZh", b"7z\xbc\xaf")
_TREE = 100  # where the schema table's page header begins


def lock_page(page_size: int) -> int:
    """The number of the page that SQLite never uses, because its locks live in those bytes."""
    return LOCK_BYTE // page_size + 1


def perhaps_encrypted(head: bytes) -> bool:
    """Whether the beginning of a file that is no database looks like an encrypted one: its bytes
    are spread as evenly as only encryption or compression does it. `head`: some 64 KiB."""
    if len(head) < 4096 or head.startswith(COMPRESSED):
        return False
    shares = [count / len(head) for count in Counter(head).values()]
    entropy = -sum(share * log2(share) for share in shares)
    # Random bytes of this length have, by chance, less than 8 bits a byte by about this much.
    return entropy > 8 - 2 * 255 / (2 * log(2) * len(head))


def _number(page: bytes, field: slice) -> int:
    return int.from_bytes(page[field], "big")


class Header:
    """The first page of a database."""

    def __init__(self, page: bytes) -> None:
        """Raises NotADatabase when `page` is no first page."""
        if page[:16] != MAGIC:
            raise NotADatabase("the first page is not that of a SQLite database")
        self.page = page

    @property
    def wal(self) -> bool:
        """Whether the database is in WAL mode."""
        return self.page[_FILE_FORMAT] == b"\2\2"

    @property
    def page_size(self) -> int:
        """Bytes in a page."""
        size = _number(self.page, _PAGE_SIZE)
        return 65536 if size == 1 else size

    @property
    def reserved(self) -> int:
        """Bytes at the end of each page that belong to an extension."""
        return self.page[_RESERVED]

    @property
    def layout(self) -> tuple[int, int]:
        """How the file is divided: the page size, and the bytes reserved in each page."""
        return self.page_size, self.reserved

    @property
    def encoding(self) -> int:
        """1 = UTF-8, 2 and 3 = UTF-16, 0 = not decided yet, as nothing was made in it."""
        return _number(self.page, _ENCODING)

    @property
    def pages_told(self) -> int:
        """The number of pages that the header claims; 0 if that is out of date, as writers before
        3.7.0 did not keep it."""
        kept = self.page[_CHANGES] == self.page[_CHANGES_COUNTED]
        return _number(self.page, _PAGES) if kept else 0

    @property
    def writer(self) -> int:
        """SQLITE_VERSION_NUMBER of the library that wrote the database last."""
        return _number(self.page, _WRITER)

    @property
    def auto_vacuum(self) -> bool:
        """Whether the file has pointer-map pages."""
        return _number(self.page, _LARGEST_ROOT) != 0

    @property
    def cookie(self) -> int:
        """The schema cookie, by which connections notice that their schema is out of date."""
        return _number(self.page, _COOKIE)

    def cookie_after(self, live: "Header") -> int:
        """A cookie above this page's and the live one's, so that no connection's schema fits."""
        cookie = max(self.cookie, live.cookie)
        while cookie in (self.cookie, live.cookie):
            cookie = (cookie + COOKIE_STEP) % COOKIES
        return cookie

    def placed(self, live: "Header", *, pages: int, cookie: int) -> bytes:
        """This page as it must be written over the `live` one.

        The journal mode stays the live one, or open connections would work on by another
        protocol than new ones. The page count is set, as it is not kept by old writers. The change
        counter, from which SQLite counts on, stays the live one: counted on from the version's it
        may come out as what a connection has seen, which then takes the pages that it remembers
        for those that are there.
        """
        page = bytearray(self.page)
        page[_FILE_FORMAT] = live.page[_FILE_FORMAT]
        page[_CHANGES] = live.page[_CHANGES]
        page[_PAGES] = pages.to_bytes(4, "big")
        page[_COOKIE] = cookie.to_bytes(4, "big")
        return bytes(page)

    def following(self, live: "Header") -> bytes:
        """This page as a copy of the whole file must have it that is put in the `live` one's place.

        The journal mode stays the live one, and the change counter goes on from there: by another
        one an open connection could take what it remembers for what is there.
        """
        page = bytearray(self.page)
        page[_FILE_FORMAT] = live.page[_FILE_FORMAT]
        changes = (_number(live.page, _CHANGES) + 1) % COOKIES
        page[_CHANGES] = page[_CHANGES_COUNTED] = changes.to_bytes(4, "big")
        return bytes(page)

    def emptied(self) -> bytes:
        """The only page of an empty database with this one's settings."""
        size = len(self.page)
        page = bytearray(size)
        page[:_TREE] = self.page[:_TREE]
        page[_PAGES] = (1).to_bytes(4, "big")
        page[_FREELIST] = bytes(8)
        if self.auto_vacuum:
            page[_LARGEST_ROOT] = (1).to_bytes(4, "big")
        content_start = (size - self.reserved) % 65536  # 0 stands for 65536
        page[_TREE] = 13  # an empty leaf of a table
        page[_TREE + 5 : _TREE + 7] = content_start.to_bytes(2, "big")
        return bytes(page)

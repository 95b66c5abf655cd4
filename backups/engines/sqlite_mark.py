"""By what a SQLite restore is known to have taken effect, when its end was not heard of."""

import os
from dataclasses import dataclass
from pathlib import Path

COOKIES = 1 << 32
# By so much a restore raises the schema cookie. Others raise it by one for each change of the
# schema, so in between there is room to tell "restored, then changed" from "only changed".
COOKIE_STEP = 1 << 16


@dataclass(frozen=True)
class CookieMark:
    """In place: the schema cookie that the restored first page has."""

    cookie: int

    def __str__(self) -> str:
        return f"cookie:{self.cookie}"

    def is_reached(self, live: int) -> bool:
        """Whether the live cookie is this one, or was raised from it since."""
        return (live - self.cookie) % COOKIES < COOKIES // 2


@dataclass(frozen=True)
class FileMark:
    """As a new file: which file it is. Its number is not given again while it exists."""

    device: int
    inode: int

    @classmethod
    def of(cls, path: Path) -> "FileMark":
        found = os.lstat(path)
        return cls(found.st_dev, found.st_ino)

    def __str__(self) -> str:
        return f"file:{self.device}:{self.inode}"


@dataclass(frozen=True)
class LayoutMark:
    """In place, with pages of another size: how they are divided, in bytes, and the cookie."""

    page_size: int
    reserved: int
    cookie: int

    def __str__(self) -> str:
        return f"layout:{self.page_size}:{self.reserved}:{self.cookie}"

    def is_reached(self, page_size: int, reserved: int, cookie: int) -> bool:
        """Whether the live database is divided so, and its cookie as `CookieMark` wants it."""
        return (page_size, reserved) == (self.page_size, self.reserved) and CookieMark(
            self.cookie
        ).is_reached(cookie)


def parse_mark(text: str) -> CookieMark | FileMark | LayoutMark:
    """The mark in this text; raises ValueError."""
    kind, *numbers = text.split(":")
    match kind, [int(number) for number in numbers]:
        case "cookie", [cookie]:
            return CookieMark(cookie)
        case "layout", [page_size, reserved, cookie]:
            return LayoutMark(page_size, reserved, cookie)
        case "file", [device, inode]:
            return FileMark(device, inode)
    raise ValueError("not a mark of a SQLite restore")

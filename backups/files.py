"""A version's file as an answer: whole, or the part that a Range asks for (RFC 9110, 14)."""

import base64
import re
import threading
from collections.abc import Callable

from django.conf import settings
from django.http import HttpResponse, HttpResponseBase, StreamingHttpResponse
from django.utils.http import content_disposition_header
from rest_framework.exceptions import Throttled

from backups.downloads import Download, download_of
from backups.errors import JobNotStarted, RangeNotSatisfiable, StorageError
from backups.models import Backup
from backups.streams import Stream

CONTENT_TYPE = "application/vnd.sqlite3"
_RANGE = re.compile(r"bytes=(\d{1,18})-(\d{1,18})?|bytes=-(\d{1,18})")
_RETRY_SECONDS = 10


class _Places:
    """So many downloads at once in this process; each holds memory and threads."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._taken = 0

    def take(self) -> None:
        """Raises Throttled when all are taken."""
        with self._lock:
            if self._taken >= settings.DOWNLOADS:
                raise Throttled(wait=_RETRY_SECONDS)
            self._taken += 1

    def give_back(self) -> None:
        with self._lock:
            self._taken -= 1


places = _Places()


def file_answer(
    backup: Backup, *, wanted: str | None, only_if: str | None, with_body: bool
) -> HttpResponseBase:
    """The answer to a request for the version's file.

    `wanted` and `only_if` are the headers Range and If-Range. Raises RangeNotSatisfiable,
    Throttled, JobNotStarted when the version can't be read.
    """
    places.take()
    try:
        download = download_of(backup)
        part = None
        if only_if is None or only_if.strip() == download.etag:
            part = part_wanted(wanted, download.size)
        start, end = part or (0, download.size)
        answer = _body(download, start, end) if with_body else HttpResponse()
    except StorageError as error:
        places.give_back()
        raise JobNotStarted("download", error.reason) from error
    except BaseException:
        places.give_back()
        raise
    if not with_body:
        places.give_back()
    answer.status_code = 206 if part else 200
    if part:
        answer["Content-Range"] = f"bytes {start}-{end - 1}/{download.size}"
    digest = base64.b64encode(bytes.fromhex(download.sha256)).decode()
    answer["Content-Type"] = CONTENT_TYPE
    answer["Content-Length"] = str(end - start)
    answer["Accept-Ranges"] = "bytes"
    answer["ETag"] = download.etag
    answer["Repr-Digest"] = f"sha-256=:{digest}:"  # RFC 9530: of the whole file, also for a part
    answer["Cache-Control"] = "private, no-store"
    answer["Content-Disposition"] = content_disposition_header(True, download.file_name) or ""
    return answer


def part_wanted(header: str | None, size: int) -> tuple[int, int] | None:
    """The first byte that a Range asks for and the one after the last; None for the whole.

    A header that is no single range of bytes is passed over, as the RFC allows. Raises
    RangeNotSatisfiable.
    """
    found = _RANGE.fullmatch((header or "").replace(" ", ""))
    if found is None:
        return None
    first, last, length = found.groups()
    if length is not None:
        start, end = max(0, size - int(length)), size
    else:
        start, end = int(first), min(size, int(last) + 1 if last else size)
        if last and int(last) < int(first):
            return None
    if start >= size or start >= end:
        raise RangeNotSatisfiable(size)
    return start, end


def _body(download: Download, start: int, end: int) -> StreamingHttpResponse:
    give_back: Callable[[], None] = places.give_back
    return StreamingHttpResponse(Stream(download.pieces(start, end), closed=give_back))

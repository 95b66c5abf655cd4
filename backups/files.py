"""A version's file as an answer: whole, or the part that a Range asks for (RFC 9110, 14)."""

import base64
import re

from django.http import HttpRequest, HttpResponse, HttpResponseBase, StreamingHttpResponse
from django.utils.http import content_disposition_header

from backups import places
from backups.downloads import download_of
from backups.errors import JobNotStarted, RangeNotSatisfiable, StorageError
from backups.models import Backup
from backups.streams import SCOPE_KEY, Stream
from projects.models import User

CONTENT_TYPE = "application/vnd.sqlite3"
_RANGE = re.compile(r"bytes=(\d{1,18})-(\d{1,18})?|bytes=-(\d{1,18})")


def file_answer(
    request: HttpRequest,
    backup: Backup,
    user: User,
    *,
    wanted: str | None,
    only_if: str | None,
    with_body: bool,
) -> HttpResponseBase:
    """The answer to this user's request for the version's file.

    `wanted` and `only_if` are the headers Range and If-Range. Raises RangeNotSatisfiable,
    Throttled, JobNotStarted when the version can't be read.
    """
    give_back = places.downloads.take(user, backup.project).give_back
    try:
        download = download_of(backup)
        part = None
        if only_if is None or only_if.strip() == download.etag:
            part = part_wanted(wanted, download.size)
        start, end = part or (0, download.size)
        answer: HttpResponseBase = HttpResponse()
        if with_body:
            answer = StreamingHttpResponse(
                stream := Stream(download.pieces(start, end), closed=give_back)
            )
            # Served without ASGI, as by the test client, the framework's own closing has to do.
            if transfer := getattr(request, "scope", {}).get(SCOPE_KEY):
                transfer.begin(stream)
    except StorageError as error:
        give_back()
        raise JobNotStarted("download", error.reason) from error
    except BaseException:
        give_back()
        raise
    if not with_body:
        give_back()
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

"""A multipart/form-data body (RFC 7578) as it arrives: the file to the disk, texts to memory."""

import hashlib
import os
from contextlib import suppress
from io import FileIO
from pathlib import Path
from typing import Any

from python_multipart.multipart import MultipartParser, parse_options_header

from backups.uploads import Upload, check_room, receiving_path

FILE = "upload_file"


_LOOK_EVERY_BYTES = 1 << 26


class FormTooLarge(Exception):
    """The file, or all else, is longer than is taken."""


class Form:
    """Takes the bytes of a body in; `close` removes the file, unless it was moved away.

    A part named `upload_file` is the file, whether or not it has a file name; there may be one.
    Files in other parts are passed over, as unknown parameters are. Raises FormTooLarge, ValueError
    and the parser's own FormParserError for what is no such body, OSError of the disk.
    """

    def __init__(self, boundary: bytes, *, fields_bytes: int, file_bytes: int) -> None:
        self.fields: dict[str, str] = {}
        self.upload: Upload | None = None
        self._fields_left = fields_bytes
        self._file_left = file_bytes
        self._size = self._look_at = 0
        self._left = fields_bytes + file_bytes
        self._hasher = hashlib.sha256()
        self._path: Path | None = None
        self._file: FileIO | None = None
        self._header = (bytearray(), bytearray())
        self._headers: dict[bytes, bytes] = {}
        self._name: str | None = None
        self._text = bytearray()
        self._ended = False
        self._parser = MultipartParser(
            boundary,
            {
                "on_part_begin": self._part_begins,
                "on_header_field": lambda data, start, end: self._grow(0, data[start:end]),
                "on_header_value": lambda data, start, end: self._grow(1, data[start:end]),
                "on_header_end": self._header_ends,
                "on_headers_finished": self._headers_end,
                "on_part_data": self._part_goes_on,
                "on_part_end": self._part_ends,
                "on_end": self._ends,
            },
        )

    @property
    def file_fields(self) -> dict[str, Any]:
        """The file's field, as the application gets it: its hash; nothing without a file."""
        return {FILE: self.upload.sha256} if self.upload else {}

    def feed(self, data: bytes, *, last: bool) -> None:
        """Take the next bytes in."""
        self._left -= len(data)
        if self._left < 0:
            raise FormTooLarge
        if data:
            self._parser.write(data)
        if not last:
            return
        self._parser.finalize()
        if not self._ended:
            raise ValueError("it ends too early")
        if self._file is not None and self._path is not None:
            os.fsync(self._file.fileno())
            self.upload = Upload(self._path, self._size, self._hasher.hexdigest())

    def close(self) -> None:
        """Let go of the file."""
        if self._file is not None:
            self._file.close()
        if self._path is not None:
            with suppress(FileNotFoundError):
                os.unlink(self._path)

    def _part_begins(self) -> None:
        self._headers = {}
        self._header = (bytearray(), bytearray())
        self._text = bytearray()
        self._name = None

    def _grow(self, side: int, data: bytes) -> None:
        self._charge(len(data))
        self._header[side].extend(data)

    def _header_ends(self) -> None:
        name, value = self._header
        self._headers[bytes(name).lower()] = bytes(value)
        self._header = (bytearray(), bytearray())

    def _headers_end(self) -> None:
        kind, options = parse_options_header(self._headers.get(b"content-disposition"))
        if kind != b"form-data" or b"name" not in options:
            raise ValueError("a part has no name")
        name = options[b"name"].decode("utf-8")
        if name == FILE:
            if self._file is not None:
                raise ValueError(f"{FILE} is given twice")
            self._path = receiving_path()
            flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL
            self._file = FileIO(os.open(self._path, flags, 0o600), "w")
        elif name in self.fields:
            raise ValueError(f"{name[:100]} is given twice")
        if name == FILE or b"filename" not in options:
            self._name = name

    def _part_goes_on(self, data: bytes, start: int, end: int) -> None:
        if self._name != FILE or self._file is None:
            self._charge(end - start)
            self._text += data[start:end]
            return
        self._file_left -= end - start
        if self._file_left < 0:
            raise FormTooLarge
        piece = memoryview(data)[start:end]
        if self._size >= self._look_at:
            self._check_room()
        self._hasher.update(piece)
        self._size += len(piece)
        while piece:
            piece = piece[self._file.write(piece) :]

    def _check_room(self) -> None:
        """Raises OSError when this upload would fill the disk."""
        self._look_at = self._size + _LOOK_EVERY_BYTES
        check_room(_LOOK_EVERY_BYTES)

    def _part_ends(self) -> None:
        if self._name is not None and self._name != FILE:
            self.fields[self._name] = self._text.decode("utf-8")

    def _ends(self) -> None:
        self._ended = True

    def _charge(self, size: int) -> None:
        self._fields_left -= size
        if self._fields_left < 0:
            raise FormTooLarge

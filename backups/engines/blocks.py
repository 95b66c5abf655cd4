"""Cutting a stream of bytes anew."""

from collections.abc import Iterable, Iterator


def recut(chunks: Iterable[bytes], size: int) -> Iterator[bytes]:
    """The bytes of `chunks` in pieces of `size` bytes or a multiple; only the last may be shorter.

    Chunks that already are such pieces are passed through without a copy.
    """
    rest = b""
    for chunk in chunks:
        rest = rest + chunk if rest else chunk
        whole = len(rest) - len(rest) % size
        if whole:
            yield rest[:whole]
            rest = rest[whole:]
    if rest:
        yield rest


def cut(pieces: Iterable[bytes], size: int) -> Iterator[memoryview]:
    """Pieces of some multiple of `size` bytes each, but for the last, cut to that size."""
    for piece in pieces:
        view = memoryview(piece)
        for start in range(0, len(view), size):
            yield view[start : start + size]

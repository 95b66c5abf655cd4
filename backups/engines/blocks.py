"""Cutting a stream of bytes anew."""

from collections.abc import Iterable, Iterator


def recut(chunks: Iterable[bytes], size: int) -> Iterator[bytes]:
    """The bytes of `chunks` in pieces of `size` bytes; only the last may be shorter.

    Chunks that already have that size are passed through without a copy.
    """
    rest = b""
    for chunk in chunks:
        if not rest and len(chunk) == size:
            yield chunk
            continue
        rest = rest + chunk if rest else chunk
        whole = len(rest) - len(rest) % size
        for start in range(0, whole, size):
            yield rest[start : start + size]
        rest = rest[whole:]
    if rest:
        yield rest

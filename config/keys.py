"""The keys of an installation: made once, never overwritten, readable by their owner only.

Run `python -m config.keys` before the first start. Settings read these files unless the
environment gives the keys itself; they never make one up, so a lost key is noticed at once.
"""

import base64
import os
import secrets
import sys
from pathlib import Path

from config.places import DATA_DIR, KEY_DIR

FILES = {
    "django": "signs sessions, forms and queue entries",
    "tokens": "signs the JSON web tokens of API clients",
    "addresses": "seals the addresses of project databases",
    "store": "seals every stored version: without it no version can be restored",
}


def make_missing(folder: Path) -> list[Path]:
    """Write a fresh random key for each file that is not there yet; return the files written."""
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    written = []
    for name in FILES:
        path = folder / f"{name}.key"
        # 64 bytes for signing keys (HMAC's block), 32 for the ciphers' keys.
        length = 64 if name in ("django", "tokens") else 32
        try:
            descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        except FileExistsError:
            continue
        with os.fdopen(descriptor, "wb") as file:
            file.write(base64.urlsafe_b64encode(secrets.token_bytes(length)) + b"\n")
            file.flush()
            os.fsync(file.fileno())
        written.append(path)
    return written


def main() -> None:
    try:
        # Nobody else on the machine needs to look into it: it will hold databases and sessions.
        DATA_DIR.mkdir(mode=0o700, parents=True, exist_ok=True)
        written = make_missing(KEY_DIR)
    except OSError as error:
        sys.exit(f"can't write the keys to {KEY_DIR}: {error.strerror}")
    for path in written:
        sys.stdout.write(f"made {path}: {FILES[path.stem]}\n")


if __name__ == "__main__":
    main()

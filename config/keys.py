"""The keys of an installation: made once, never overwritten, readable by their owner only.

Run `python -m config.keys` before the first start. Settings read these files unless the
environment gives the keys itself; they never make one up, so a lost key is noticed at once.
"""

import base64
import os
import secrets
import sys
from pathlib import Path

from config.places import DATA_DIR, KEY_DIR, STORE_DIR, env

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


def store_key_places() -> dict[str, str]:
    """Where the store's keys are, as `backups.recovery.keys` asks for it; none is read here."""
    file = env.str("STORE_KEYS_FILE", default="")
    text = "" if file else env.str("STORE_KEYS", default="")
    return {"KEY_DIR": str(KEY_DIR), "STORE_KEYS_FILE": file, "STORE_KEYS": text}


def recovery_kit(key: Path, store: Path) -> str:
    """What has to be kept for the day when all else is lost, and what to do then."""
    return f"""
Keep a copy of {key} where the backups are not. With it and a copy of
{store} every version can be restored, whatever else is lost:
    python manage.py restore_from_store FOLDER --list --key-file FILE
Without it no version can be restored. docs/recovery.md says more.

"""


def main() -> None:
    try:
        # Nobody else on the machine needs to look into it: it will hold databases and sessions.
        DATA_DIR.mkdir(mode=0o700, parents=True, exist_ok=True)
        written = make_missing(KEY_DIR)
    except OSError as error:
        sys.exit(f"can't write the keys to {KEY_DIR}: {error.strerror}")
    for path in written:
        sys.stdout.write(f"made {path}: {FILES[path.stem]}\n")
    if KEY_DIR / "store.key" in written:
        sys.stdout.write(recovery_kit(KEY_DIR / "store.key", STORE_DIR))


if __name__ == "__main__":
    main()

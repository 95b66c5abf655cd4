"""Where the keys to a storage are found when there are no settings to ask."""

from collections.abc import Mapping, Sequence
from pathlib import Path

from backups.errors import BackupsError
from backups.store.seal import Keyring

VARIABLE = "STORE_KEYS"
FILE = "store.key"
_INSTALLATION = Path(__file__).resolve().parent.parent.parent


class KeysMissing(BackupsError):
    """No key to the storage was found, or what was found is none."""


def keyring_from(files: Sequence[Path], environment: Mapping[str, str]) -> Keyring:
    """The keys in these files; without any, those that Savepoint itself would take.

    That is the file named by STORE_KEYS_FILE, STORE_KEYS itself, or `store.key` in KEY_DIR, in
    DATA_DIR/keys, or in this installation's data/keys. Raises KeysMissing.
    """
    if files:
        return _parsed(" ".join(map(_text, files)), ", ".join(map(str, files)))
    named = environment.get(f"{VARIABLE}_FILE")
    text = environment.get(VARIABLE)
    if text and not named:
        return _parsed(text, VARIABLE)
    file = Path(named or _key_folder(environment) / FILE)
    return _parsed(_text(file), str(file))


def _key_folder(environment: Mapping[str, str]) -> Path:
    data = Path(environment.get("DATA_DIR") or _INSTALLATION / "data")
    return Path(environment.get("KEY_DIR") or data / "keys")


def _text(file: Path) -> str:
    try:
        return file.read_text()
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "it is no text"
        raise KeysMissing(f"the key file {file} can't be read: {reason}") from error


def _parsed(text: str, where: str) -> Keyring:
    try:
        return Keyring.parse(text)
    except ValueError as error:
        raise KeysMissing(f"{where}: {error}") from None  # without the text: it is nearly a key

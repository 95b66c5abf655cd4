"""Where the environment is read from, and where things are kept: known before any key is."""

import os
from pathlib import Path

from environs import FileAwareEnv

BASE_DIR = Path(__file__).resolve().parent.parent

env = FileAwareEnv()
env.read_env(os.environ.get("ENV_FILE", BASE_DIR / ".env"), recurse=False)


def place(name: str, default: Path) -> Path:
    """The folder that the environment names; the default where it names none or an empty one."""
    return Path(env.str(name, default="") or default).resolve()


DATA_DIR = place("DATA_DIR", BASE_DIR / "data")
KEY_DIR = place("KEY_DIR", DATA_DIR / "keys")
STORE_DIR = place("STORE_DIR", DATA_DIR / "store")
SCRATCH_DIR = place("SCRATCH_DIR", DATA_DIR / "scratch")
CACHE_DIR = place("CACHE_DIR", DATA_DIR / "cache")
RUN_DIR = place("RUN_DIR", DATA_DIR / "run")

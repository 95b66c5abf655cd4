"""The environment of a test run: a folder and keys of its own. Loaded as a plugin, before settings.

Nothing of the caller's environment reaches the tests: settings would follow it.
"""

import os
import re
import shutil
import tempfile
from pathlib import Path

import pytest

CONFIG = Path(__file__).parent.parent / "config"
FOLDER = Path(tempfile.mkdtemp(prefix="savepoint-tests-"))


def settings_variables() -> set[str]:
    """The names of all environment variables that the settings read."""
    read = (CONFIG / "settings.py").read_text() + (CONFIG / "places.py").read_text()
    return set(re.findall(r'(?:env\.\w+|key|place)\(\s*"([A-Z_]+)"', read))


for name in settings_variables():
    os.environ.pop(name, None)
    os.environ.pop(f"{name}_FILE", None)
os.environ |= {"DATA_DIR": str(FOLDER), "ENV_FILE": os.devnull}
# Small data is hard data: many blocks, frames and packs even in a database of some pages.
os.environ |= {"BLOCK_BYTES": "8192", "FRAME_BYTES": "32768", "PACK_BYTES": "262144"}
# Jobs that are done in the tests' own process must not slow down what it does afterwards.
os.environ["WORKER_NICE"] = "0"
# The tests call more often than people; those of the throttles set their own rates.
os.environ |= {
    f"THROTTLE_{name}": "100000/m"
    for name in ("CALLS", "SIGN_IN_ADDRESS", "SIGN_IN_NAME", "SIGN_IN_ANYWHERE", "CREATE")
}

# Only now: what config reads when it is imported is the environment above.
from config.keys import make_missing  # noqa: E402

make_missing(FOLDER / "keys")


def pytest_unconfigure(config: pytest.Config) -> None:
    shutil.rmtree(FOLDER, ignore_errors=True)

from pathlib import Path

import pytest

from .disaster import Disaster
from .histories import History


@pytest.fixture
def disaster(tmp_path: Path) -> Disaster:
    return Disaster(tmp_path)


@pytest.fixture
def history(tmp_path: Path, disaster: Disaster) -> History:
    """Three versions of different content."""
    made = History(tmp_path, disaster.store)
    for rows in (30, 40, 5):
        made.grow(rows)
        made.take()
    return made

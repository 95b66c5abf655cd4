from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.service import Service


@pytest.fixture(scope="session")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    """A running Savepoint with its demo, shared by the tests that leave it whole."""
    running = Service(tmp_path_factory.mktemp("service"))
    running.start()
    yield running
    assert running.stop() == 0, "".join(running.output)


@pytest.fixture
def own_service(tmp_path: Path) -> Iterator[Service]:
    """A running Savepoint of the test's own, to be killed and broken."""
    running = Service(tmp_path / "data")
    running.start()
    yield running
    running.end()


@pytest.fixture(autouse=True)
def quick_passwords(settings: Any) -> None:
    """The tests' own process makes many people; a slow hash is for those who guess."""
    settings.PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]

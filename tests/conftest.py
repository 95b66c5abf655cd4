from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.service import Service


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Give the tests that are made of the API's description an id each.

    They have a name each but, as this pytest makes ids, one for all; and of tests with the same id
    xdist runs one only.
    """
    for item in items:
        name, _, parameters = item.name.partition("[")
        if parameters and item.nodeid.endswith(f"::{name}"):
            item._id = item.id.with_params(parameters.removesuffix("]"))
    ids = {item.nodeid for item in items}
    assert len(ids) == len(items), "some tests have the same id: not all of them would run"


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

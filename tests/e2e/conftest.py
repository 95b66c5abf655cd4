import pytest

from tests.service import Client, Service


@pytest.fixture
def client(service: Service) -> Client:
    """A client of the shared service, signed in with the demo's API key."""
    return service.client()

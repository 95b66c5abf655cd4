"""A real Chromium. Debian has it in the packages chromium and chromium-driver."""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from selenium import webdriver
from selenium.webdriver.chrome.service import Service as Driver

from tests.browser.visitor import Visitor
from tests.service import Service

CHROMIUM, DRIVER = Path("/usr/bin/chromium"), Path("/usr/bin/chromedriver")
FLAGS = (
    "--headless=new",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--disable-dev-shm-usage",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--window-size=1400,1200",
)


@pytest.fixture
def visitor(service: Service, tmp_path: Path) -> Iterator[Visitor]:
    """Somebody with a fresh browser in front of the shared service, not signed in."""
    if not (CHROMIUM.exists() and DRIVER.exists()) and "CI" not in os.environ:
        pytest.skip("needs the packages chromium and chromium-driver")
    options = webdriver.ChromeOptions()
    options.binary_location = str(CHROMIUM)
    for flag in (*FLAGS, f"--user-data-dir={tmp_path / 'chromium'}"):
        options.add_argument(flag)
    # What pages were kept from doing is told on their console.
    options.set_capability("goog:loggingPrefs", {"browser": "ALL"})
    driver = webdriver.Chrome(options=options, service=Driver(str(DRIVER)))
    yield Visitor(driver, service)
    driver.quit()


@pytest.fixture
def admin(visitor: Visitor, service: Service) -> Visitor:
    """The administrator, signed in."""
    visitor.sign_in(service.username, service.password)
    return visitor

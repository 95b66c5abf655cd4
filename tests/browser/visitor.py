"""What a person does in a browser in front of Savepoint's admin."""

from urllib.parse import urlparse

from selenium.webdriver import Chrome
from selenium.webdriver.common.by import By
from selenium.webdriver.remote.webelement import WebElement
from selenium.webdriver.support.ui import WebDriverWait

from tests.service import Service

PATIENCE_SECONDS = 60


class Visitor:
    """A browser and the hands on it."""

    def __init__(self, driver: Chrome, service: Service) -> None:
        self.driver = driver
        self.service = service

    def open(self, path: str) -> None:
        self.driver.get(self.service.url + path)

    @property
    def path(self) -> str:
        return urlparse(self.driver.current_url).path

    @property
    def text(self) -> str:
        return self.driver.find_element(By.TAG_NAME, "body").text

    def find(self, selector: str) -> WebElement:
        """The element; waits for it to be there."""
        return WebDriverWait(self.driver, PATIENCE_SECONDS).until(
            lambda driver: driver.find_element(By.CSS_SELECTOR, selector)
        )

    def has(self, selector: str) -> bool:
        return bool(self.driver.find_elements(By.CSS_SELECTOR, selector))

    def click(self, selector: str) -> None:
        """Click, and wait until the next page is there."""
        page = self.driver.find_element(By.TAG_NAME, "html")
        self.find(selector).click()
        WebDriverWait(self.driver, PATIENCE_SECONDS).until(
            lambda driver: (
                driver.find_element(By.TAG_NAME, "html") != page
                and driver.execute_script("return document.readyState") == "complete"
            )
        )

    def type(self, selector: str, words: str) -> None:
        self.find(selector).send_keys(words)

    def sign_in(self, username: str, password: str) -> None:
        self.open("/admin/")
        self.type("#id_username", username)
        self.type("#id_password", password)
        self.click("#login-form [type=submit]")

    def open_project(self) -> None:
        """The page of the service's project, by way of the list."""
        self.open(f"/admin/projects/project/?q={self.service.project}")
        self.click("#result_list .field-name a")

    def reload_until(self, selector: str) -> WebElement:
        """Reload the page until the element is there."""

        def look(driver: Chrome) -> WebElement | None:
            found = driver.find_elements(By.CSS_SELECTOR, selector)
            if not found:
                driver.refresh()
            return found[0] if found else None

        return WebDriverWait(self.driver, PATIENCE_SECONDS).until(look)

    def follow_job(self) -> None:
        """Go to the job that the message tells of, and watch it until it is done.

        The page reloads itself: the browser is only waited for.
        """
        self.click(".messagelist .success a")
        self.find(".field-state .state-done")

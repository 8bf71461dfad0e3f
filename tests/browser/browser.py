"""Headless Chromium, as people use it: it goes to pages, reads them, fills in forms and presses buttons."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from selenium import webdriver
from selenium.webdriver.chrome.options import Options
from selenium.webdriver.chrome.service import Service
from selenium.webdriver.common.by import By
from selenium.webdriver.remote.webelement import WebElement
from selenium.webdriver.support.wait import WebDriverWait

CHROMIUM = "/usr/bin/chromium"
DRIVER = "/usr/bin/chromedriver"
DEADLINE = 60.0
"""Seconds that a page may take on a busy machine; a good run waits for none of them."""

OFTEN = 0.1
"""Seconds between two looks at a page that is waited for."""

DESKTOP = (1280, 900)
PHONE = (390, 844)

_UNLABELLED = """
return Array.from(document.querySelectorAll("input:not([type=hidden]):not([aria-hidden]), select, textarea"))
  .filter(field => field.labels.length === 0 && !field.getAttribute("aria-label")).map(field => field.name)
"""
_WIDTHS = "return [document.documentElement.scrollWidth, document.documentElement.clientWidth]"
_NAMELESS = """
return Array.from(document.querySelectorAll("a, button"))
  .filter(each => !(each.textContent.trim() || each.getAttribute("aria-label"))).map(each => each.outerHTML)
"""


@dataclass
class Browser:
    """One window. Calls block: in a test that is async they go through `trio.to_thread.run_sync`.

    Args:
        driver: What drives it.
        has_scripts: Whether pages' scripts run.
    """

    driver: webdriver.Chrome
    has_scripts: bool = True

    @property
    def url(self) -> str:
        """Where it is."""
        return self.driver.current_url

    @property
    def text(self) -> str:
        """What people read."""
        return self.driver.find_element(By.TAG_NAME, "body").text

    @property
    def heading(self) -> str:
        """What the page is about."""
        return self.driver.find_element(By.TAG_NAME, "h1").text

    def open(self, url: str) -> None:
        """Go there, and see that the page can be used."""
        self.driver.get(url)
        self.check()

    def fill(self, **fields: str) -> None:
        """Type into fields, by name; what stood in them goes."""
        for name, text in fields.items():
            element = self.find(f"input[name='{name}']:not([type=hidden]):not([aria-hidden])")
            element.clear()
            element.send_keys(text)

    def tick(self, name: str) -> None:
        """Tick a box."""
        self.find(f"input[name='{name}']").click()

    def press(self, label: str) -> None:
        """Press a button, or follow a link, by what stands on it, and wait for the next page."""
        self.press_in("main", label)

    def press_in(self, selector: str, label: str) -> None:
        """The same in one part of the page."""
        part = self.find(selector)
        found = [each for each in part.find_elements(By.CSS_SELECTOR, "button, a") if each.text.strip() == label]
        assert found, f"nothing here says {label!r}:\n{self.text}"
        page = self.driver.find_element(By.TAG_NAME, "html")
        found[0].click()
        # Pressed means gone: the next page has another root.
        WebDriverWait(self.driver, DEADLINE, OFTEN).until(lambda driver: _is_gone(driver, page))
        self.check()

    def wait_for(self, text: str) -> None:
        """Wait until the page says something, which a script may have it do."""
        WebDriverWait(self.driver, DEADLINE, OFTEN).until(
            lambda _: text in self.text, f"{text!r} is not in:\n{self.text}"
        )

    def find(self, selector: str) -> WebElement:
        """The element that a CSS selector picks."""
        return self.driver.find_element(By.CSS_SELECTOR, selector)

    def value(self, name: str) -> str:
        """What stands in a field."""
        return str(self.find(f"input[name='{name}']").get_property("value") or "")

    def resize(self, size: tuple[int, int]) -> None:
        """Be a phone, or a desktop: width and height in CSS pixels, whatever a window's least width is."""
        metrics = {"width": size[0], "height": size[1], "deviceScaleFactor": 1, "mobile": size == PHONE}
        self.driver.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", metrics)

    def screenshot(self, path: Path) -> None:
        """Keep what is seen."""
        path.write_bytes(self.driver.get_screenshot_as_png())

    def forget(self) -> None:
        """Be nobody: no cookies, no page."""
        self.driver.execute_cdp_cmd("Network.clearBrowserCookies", {})
        self.driver.get("about:blank")
        self.complaints()

    def complaints(self) -> Sequence[str]:
        """What the browser's console says is wrong since the last time: what the page's policy forbids, too."""
        entries = self.driver.get_log("browser")  # type: ignore[no-untyped-call]
        # A form that was not taken is answered with 4xx, which the console says of every page.
        return [each["message"] for each in entries if "Failed to load resource" not in each["message"]]

    def check(self) -> None:
        """See that anybody can use this page: each field has a label, nothing is wider than the window, and nothing is
        forbidden by the page's own policy."""
        assert not self.driver.execute_script(_UNLABELLED), f"fields without a label on {self.url}"
        assert not self.driver.execute_script(_NAMELESS), f"something to press without a name on {self.url}"
        width, room = self.driver.execute_script(_WIDTHS)
        assert width <= room, f"{self.url} is {width} pixels wide, the window {room}"
        assert len(self.driver.find_elements(By.TAG_NAME, "h1")) == 1, f"{self.url} has not one heading"
        complaints = self.complaints()
        assert not complaints, complaints


def start(*, has_scripts: bool = True) -> webdriver.Chrome:
    """Start Chromium; the caller ends it with `quit`."""
    options = Options()
    options.binary_location = CHROMIUM
    # Tests run as root in containers, where its sandbox does not start; it sees our own pages only.
    for argument in ("--headless=new", "--no-sandbox", "--disable-dev-shm-usage", "--disable-gpu", "--lang=en"):
        options.add_argument(argument)
    options.add_argument("--disable-background-networking")
    options.set_capability("goog:loggingPrefs", {"browser": "ALL"})
    if not has_scripts:
        options.add_experimental_option("prefs", {"profile.managed_default_content_settings.javascript": 2})
    return webdriver.Chrome(options=options, service=Service(DRIVER))


def _is_gone(driver: webdriver.Chrome, page: WebElement) -> bool:
    from selenium.common.exceptions import StaleElementReferenceException, WebDriverException

    try:
        page.is_enabled()
    except StaleElementReferenceException:
        return driver.execute_script("return document.readyState") == "complete"  # type: ignore[no-any-return]
    except WebDriverException:
        return False
    return False

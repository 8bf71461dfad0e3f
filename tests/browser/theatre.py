"""A daemon with a stream, and what pages in a browser show of it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from selenium.common.exceptions import TimeoutException
from selenium.webdriver.common.keys import Keys
from selenium.webdriver.support.wait import WebDriverWait

from tests.browser.browser import DEADLINE, OFTEN, Browser
from tests.e2e.daemon import Daemon, free_port
from tests.stream_pages import KEY, have, publishing, stream_tables

PICTURE = "const video = document.getElementById('video'); return [video.currentTime, video.videoWidth, video.paused]"
MESSAGES = "return Array.from(document.querySelectorAll('#messages > .kind-chat .body')).map((each) => each.innerText)"
STARTING = 60.0
"""Seconds that a broadcast may take to be on every page, on a busy machine."""


SMALL = {"name": "Small", "scaledWidth": 160, "scaledHeight": 90, "framerate": 10, "cpuUsageLevel": 1}
QUALITIES = [{"name": "As broadcast", "videoPassthrough": True, "audioPassthrough": True}, SMALL]
SHORTEST_SEGMENTS = 0


@dataclass
class Theatre:
    """A daemon with a stream, and where encoders publish.

    Args:
        daemon: In whose configuration the stream stands.
        rtmp_port: Where encoders publish.
        encoder: The one that publishes now, if any does.
    """

    daemon: Daemon
    rtmp_port: int
    encoder: ExitStack = field(default_factory=ExitStack)
    is_publishing: bool = False

    def url(self, path: str = "/") -> str:
        return f"{self.daemon.url}{path}"

    def admin_url(self, path: str = "/admin/") -> str:
        """As somebody's browser has it that has signed in."""
        return self.url(path).replace("://", f"://admin:{KEY}@")

    def ask(self, path: str, value: object = None) -> None:
        """Have something done, as another program does."""
        have(self.daemon.url, path, value)

    def publish(self) -> None:
        """Have somebody publish, if nobody does; they go on when the test is over."""
        if not self.is_publishing:
            self.encoder.enter_context(publishing(self.rtmp_port))
            self.is_publishing = True

    def leave(self) -> None:
        """Have them leave as people do."""
        self.encoder.close()
        self.is_publishing = False


def opened(folder: Path) -> Theatre:
    """A daemon that serves, with short segments and two qualities."""
    port = free_port()
    tables = stream_tables(folder, port) | {"server": {"limits": {"address_limit_factor": 0}}}
    made = Theatre(Daemon(folder, tables), port)
    made.daemon.start()
    made.ask("config/video/streamoutputvariants", QUALITIES)
    made.ask("config/video/streamlatencylevel", SHORTEST_SEGMENTS)
    return made


def forget_what_is_kept(browser: Browser, theatre: Theatre) -> None:
    arguments = {"origin": theatre.daemon.url, "storageTypes": "local_storage"}
    browser.driver.execute_cdp_cmd("Storage.clearDataForOrigin", arguments)


@contextmanager
def hurried(browser: Browser, pace: float) -> Iterator[None]:
    """Have timers of pages that are opened meanwhile go off so many times sooner; with a pace below 1 later."""
    script = f"const timer = setTimeout; window.setTimeout = (done, ms = 0) => timer(done, ms / {pace})"
    made = browser.driver.execute_cdp_cmd("Page.addScriptToEvaluateOnNewDocument", {"source": script})
    try:
        yield
    finally:
        browser.driver.execute_cdp_cmd("Page.removeScriptToEvaluateOnNewDocument", made)


@contextmanager
def cut_off(browser: Browser, pattern: str) -> Iterator[None]:
    """Have nothing come to a browser from such URLs."""
    browser.driver.execute_cdp_cmd("Network.enable", {})
    browser.driver.execute_cdp_cmd("Network.setBlockedURLs", {"urls": [pattern]})
    try:
        yield
    finally:
        browser.driver.execute_cdp_cmd("Network.setBlockedURLs", {"urls": []})


def until(browser: Browser, is_so: Callable[[], Any], what: str, *, seconds: float = DEADLINE) -> None:
    try:
        WebDriverWait(browser.driver, seconds, OFTEN).until(lambda _: is_so())
    except TimeoutException as error:
        raise AssertionError(f"not {what}:\n{browser.text}") from error


def picture(browser: Browser) -> tuple[float, int, bool]:
    """How far the video is, its width, and whether it stands still."""
    at, width, is_paused = browser.driver.execute_script(PICTURE)
    return at, width, is_paused


def wait_for_picture(browser: Browser) -> None:
    """Wait until the video really plays: time goes on, and there is a picture."""
    until(browser, lambda: picture(browser)[0] > 0.5, "playing", seconds=STARTING)
    at, width, _ = picture(browser)
    assert width in (160, 320)
    until(browser, lambda: picture(browser)[0] > at + 1, "going on")


def state(browser: Browser) -> str:
    """What the page says of the broadcast."""
    return browser.find("#state").text


def wait_for_chat(browser: Browser) -> None:
    until(browser, lambda: browser.find("#chat").get_dom_attribute("data-state") == "open", "in the chat")


def said(browser: Browser) -> list[str]:
    """What people said, as it is shown."""
    found: list[str] = browser.driver.execute_script(MESSAGES)
    return found


def say(browser: Browser, text: str) -> None:
    browser.find("#chat-text").send_keys(text + Keys.ENTER)


def wait_for_said(browser: Browser, *wanted: str) -> None:
    until(browser, lambda: said(browser)[-len(wanted) :] == list(wanted), f"said: {wanted}, but {said(browser)}")

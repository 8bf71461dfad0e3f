"""The stream's pages in a real browser on a real daemon: an encoder publishes, people watch and talk."""

from __future__ import annotations

import http.server
import json
import threading
import urllib.request
from base64 import b64encode
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass, field
from typing import Any

import pytest
from selenium import webdriver
from selenium.common.exceptions import TimeoutException
from selenium.webdriver.common.keys import Keys
from selenium.webdriver.support.wait import WebDriverWait

from tests.browser.browser import DEADLINE, DESKTOP, OFTEN, PHONE, Browser, start
from tests.e2e.daemon import Daemon, free_port
from tests.stream_pages import KEY, publishing, stream_tables

HOSTILE = '<img src=x onerror="document.title=1"><script>document.title=1</script> *really*'
PICTURE = "const video = document.getElementById('video'); return [video.currentTime, video.videoWidth, video.paused]"
IS_STARVED = "return document.getElementById('video').readyState < HTMLMediaElement.HAVE_FUTURE_DATA"
MESSAGES = "return Array.from(document.querySelectorAll('#messages > .kind-chat .body')).map((each) => each.innerText)"
SCROLLED = "return document.getElementById('messages').scrollTop"
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
        secret = b64encode(f"admin:{KEY}".encode()).decode()
        headers = {"Authorization": f"Basic {secret}", "Content-Type": "application/json"}
        body = json.dumps({"value": value}).encode()
        url = self.url(f"/api/admin/{path}")
        urllib.request.urlopen(urllib.request.Request(url, body, headers), timeout=DEADLINE).close()

    def publish(self) -> None:
        """Have somebody publish, if nobody does; they go on when the test is over."""
        if not self.is_publishing:
            self.encoder.enter_context(publishing(self.rtmp_port))
            self.is_publishing = True

    def leave(self) -> None:
        """Have them leave as people do."""
        self.encoder.close()
        self.is_publishing = False


@pytest.fixture(scope="module")
def theatre(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Theatre]:
    """Tests share it, and the broadcast that the first of them begins; the one of the restart ends it."""
    folder = tmp_path_factory.mktemp("theatre")
    port = free_port()
    tables = stream_tables(folder, port) | {"server": {"limits": {"address_limit_factor": 0}}}
    made = Theatre(Daemon(folder, tables), port)
    made.daemon.start()
    made.ask("config/video/streamoutputvariants", QUALITIES)
    made.ask("config/video/streamlatencylevel", SHORTEST_SEGMENTS)
    yield made
    made.leave()
    made.daemon.kill()


@pytest.fixture(scope="module")
def other_chromium() -> Iterator[webdriver.Chrome]:
    driver = start()
    yield driver
    driver.quit()


@pytest.fixture
def other(other_chromium: webdriver.Chrome, theatre: Theatre) -> Browser:
    """Somebody else's browser."""
    fresh = Browser(other_chromium)
    fresh.forget()
    forget_what_is_kept(fresh, theatre)
    return fresh


@pytest.fixture(autouse=True)
def fresh_storage(browser: Browser, theatre: Theatre) -> None:
    """What pages kept in this browser is gone."""
    forget_what_is_kept(browser, theatre)
    browser.resize(DESKTOP)


def forget_what_is_kept(browser: Browser, theatre: Theatre) -> None:
    arguments = {"origin": theatre.daemon.url, "storageTypes": "local_storage"}
    browser.driver.execute_cdp_cmd("Storage.clearDataForOrigin", arguments)


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


def test_a_broadcast_begins_in_a_page_that_is_open(browser: Browser, theatre: Theatre) -> None:
    browser.open(theatre.url())
    assert state(browser) == "Offline"
    assert "Nothing is on right now" in browser.text

    theatre.publish()
    wait_for_picture(browser)
    until(browser, lambda: browser.find("#viewers").text == "1 watching", "watched")
    assert state(browser) == "Live"
    assert "Nothing is on right now" not in browser.text
    for size in (PHONE, DESKTOP):
        browser.resize(size)
        browser.check()
    browser.find("#sound").click()
    assert browser.driver.execute_script("return document.getElementById('video').muted") is False


def test_a_viewer_chooses_a_quality(browser: Browser, theatre: Theatre) -> None:
    theatre.publish()
    browser.open(theatre.url())
    until(browser, lambda: "Small" in browser.find("#quality").text, "to be chosen", seconds=STARTING)
    options = [each.text for each in browser.driver.find_elements("css selector", "#quality option")]
    assert options == ["Automatic", "As broadcast", "Small"]
    browser.check()
    browser.find("#quality option:last-child").click()
    until(browser, lambda: picture(browser)[1] == 160, "small", seconds=STARTING)
    browser.find("#quality option:nth-child(2)").click()
    until(browser, lambda: picture(browser)[1] == 320, "as broadcast", seconds=STARTING)


def test_video_plays_in_pages_of_other_sites(browser: Browser, theatre: Theatre) -> None:
    theatre.publish()
    with other_site(theatre.url("/embed/video")) as site:
        browser.driver.get(site)
        browser.driver.switch_to.frame(browser.find("iframe"))
        wait_for_picture(browser)
        assert not browser.complaints()
    browser.driver.switch_to.default_content()


def test_who_watches_over_a_restart_reads_hears_and_sees_what_comes_after(
    browser: Browser, other: Browser, theatre: Theatre
) -> None:
    theatre.publish()
    browser.open(theatre.url())
    other.open(theatre.url("/embed/chat/readwrite"))
    for each in (browser, other):
        wait_for_chat(each)
    say(other, "before")
    wait_for_said(browser, "before")
    wait_for_picture(browser)
    page = browser.find("html")

    theatre.daemon.stop()
    until(browser, lambda: state(browser) == "Connecting again…", "told")
    for each in (browser, other):
        assert "Connecting again…" in each.find("#chat-said").text
    until(browser, lambda: browser.driver.execute_script(IS_STARVED), "at the end of what was loaded")
    theatre.leave()
    theatre.daemon.start()
    theatre.publish()
    for each in (browser, other):
        wait_for_chat(each)
    say(other, "after")
    wait_for_said(browser, "before", "after")
    assert said(browser).count("before") == 1
    wait_for_picture(browser)
    until(browser, lambda: state(browser) == "Live", "live")

    # Nobody is waited for who was sent away.
    theatre.ask("disconnect")
    until(browser, lambda: "Nothing is on right now" in browser.text, "over", seconds=STARTING)
    assert "The last broadcast ended on" in browser.text
    assert page.is_enabled(), "the page was loaded again"
    for each in (browser, other):
        each.complaints()
    browser.check()
    theatre.leave()


def test_a_quality_is_added_and_left_out_in_the_admins_browser(scriptless: Browser, theatre: Theatre) -> None:
    scriptless.open(theatre.admin_url("/admin/video"))
    scriptless.find("main details summary").click()
    name = scriptless.find("main details input[name='name']")
    name.send_keys("Tiny")
    scriptless.find("main details input[name='wanted']").click()
    scriptless.press("Save the qualities")
    assert "It is changed." in scriptless.text
    assert scriptless.find("fieldset:nth-of-type(3) legend").text == "Tiny"
    scriptless.find("fieldset:nth-of-type(3) input[name='gone']").click()
    scriptless.press("Save the qualities")
    assert "Tiny" not in scriptless.text


def test_the_watch_page_stands_in_no_other_page(browser: Browser, theatre: Theatre) -> None:
    with other_site(theatre.url()) as site:
        browser.driver.get(site)
        until(browser, lambda: any("frame-ancestors" in each for each in browser.complaints()), "refused")


def test_what_is_typed_in_one_browser_appears_in_another(browser: Browser, other: Browser, theatre: Theatre) -> None:
    for each in (browser, other):
        each.open(theatre.url())
        wait_for_chat(each)
    say(browser, "Hello over there")
    wait_for_said(other, "Hello over there")
    say(other, HOSTILE)
    wait_for_said(browser, "Hello over there", "really")
    assert browser.driver.title == "Manor"
    assert browser.driver.find_elements("css selector", "#messages img, #messages script") == []

    browser.find("#naming summary").click()
    browser.find("#new-name").clear()
    browser.find("#new-name").send_keys("Grace" + Keys.ENTER)
    other.wait_for("is now Grace")
    until(browser, lambda: browser.find("#chat-name").text == "Grace", "called that")
    browser.driver.refresh()
    wait_for_chat(browser)
    assert browser.find("#chat-name").text == "Grace"
    wait_for_said(browser, "Hello over there", "really")
    browser.check()


def test_an_emoji_is_picked_and_shown(browser: Browser, theatre: Theatre) -> None:
    browser.resize(PHONE)
    browser.open(theatre.url("/embed/chat/readwrite"))
    wait_for_chat(browser)
    browser.find("#picker summary").click()
    until(browser, lambda: browser.driver.find_elements("css selector", ".emoji button"), "to be picked")
    browser.check()
    browser.find(".emoji button").send_keys(Keys.ESCAPE)
    assert not browser.find(".emoji").is_displayed()
    browser.driver.switch_to.active_element.send_keys(Keys.ENTER)
    browser.find(".emoji button").click()
    browser.find("#chat-text").send_keys("yes" + Keys.ENTER)

    image = "return document.querySelector('#messages .message:last-child .body img')?.naturalWidth"
    until(browser, lambda: browser.driver.execute_script(image), "shown")
    browser.check()


def test_who_only_reads_hears_what_is_said(browser: Browser, other: Browser, theatre: Theatre) -> None:
    browser.open(theatre.url("/embed/chat"))
    wait_for_chat(browser)
    other.open(theatre.url("/embed/chat/readwrite"))
    wait_for_chat(other)
    say(other, "for the readers")

    wait_for_said(browser, "for the readers")
    assert browser.driver.find_elements("css selector", "textarea") == []


def test_reading_older_messages_is_not_disturbed(browser: Browser, other: Browser, theatre: Theatre) -> None:
    browser.open(theatre.url("/embed/chat/readwrite"))
    wait_for_chat(browser)
    other.open(theatre.url("/embed/chat/readwrite"))
    wait_for_chat(other)
    browser.driver.execute_script("document.getElementById('chat-text').value = 'line\\n'.repeat(45) + 'the last line'")
    say(browser, "")
    until(browser, lambda: "the last line" in "".join(said(browser)[-1:]), "written")
    assert browser.driver.execute_script(SCROLLED) > 0
    browser.driver.execute_script("document.getElementById('messages').scrollTop = 0")
    say(other, "news at the end")

    until(browser, lambda: browser.find("#newer").is_displayed(), "told")
    assert browser.driver.execute_script(SCROLLED) == 0
    browser.find("#newer").click()
    wait_for_said(browser, "news at the end")
    assert not browser.find("#newer").is_displayed()


def test_the_admin_changes_the_title_and_watchers_see_it(
    browser: Browser, scriptless: Browser, theatre: Theatre
) -> None:
    browser.open(theatre.url())
    scriptless.open(theatre.admin_url())
    scriptless.fill(stream_title="Tonight: the attic")
    scriptless.press("Change the title")
    assert "The title is changed." in scriptless.text

    browser.wait_for("Tonight: the attic")


def test_the_admin_pages_work_on_a_phone(either: Browser, theatre: Theatre) -> None:
    either.resize(PHONE)
    either.open(theatre.admin_url())
    for label in ("General", "Links", "Video", "Storage", "Chat", "Access", "Logs", "Overview"):
        either.press_in("nav", label)
        assert either.heading == label


def test_without_scripts_the_page_says_what_it_takes(scriptless: Browser, theatre: Theatre) -> None:
    scriptless.open(theatre.url())

    assert "open /hls/stream.m3u8 of this server in it" in scriptless.text
    assert "The chat takes JavaScript." in scriptless.text


class other_site:  # noqa: N801 - used like a function
    """A page on another origin, with a frame in it."""

    def __init__(self, framed: str) -> None:
        page = (
            f'<!doctype html><title>Elsewhere</title><iframe src="{framed}" width="600" height="400"></iframe>'.encode()
        )

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                self.send_response(200)
                self.send_header("Content-Type", "text/html")
                self.end_headers()
                self.wfile.write(page)

            def log_message(self, *arguments: object) -> None:
                """Nothing."""

        self._server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)

    def __enter__(self) -> str:
        threading.Thread(target=self._server.serve_forever, daemon=True).start()
        return f"http://localhost:{self._server.server_port}/"

    def __exit__(self, *exception: object) -> None:
        self._server.shutdown()
        self._server.server_close()

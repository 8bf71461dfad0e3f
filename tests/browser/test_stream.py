"""The stream's pages in a real browser on a real daemon: an encoder publishes, people watch and talk."""

from __future__ import annotations

import http.server
import threading

import pytest

from tests.browser.browser import DESKTOP, PHONE, Browser
from tests.browser.theatre import (
    STARTING,
    Theatre,
    cut_off,
    hurried,
    picture,
    said,
    say,
    state,
    until,
    wait_for_chat,
    wait_for_picture,
    wait_for_said,
)

IS_STARVED = "return document.getElementById('video').readyState < HTMLMediaElement.HAVE_FUTURE_DATA"

pytestmark = pytest.mark.usefixtures("fresh_storage")


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


def test_a_page_says_that_video_does_not_arrive_until_it_does(browser: Browser, theatre: Theatre) -> None:
    theatre.publish()
    with cut_off(browser, "*/hls/*"), hurried(browser, 3):
        browser.open(theatre.url())
        until(browser, lambda: state(browser) == "Live, but the video does not arrive here", "told", seconds=STARTING)
    wait_for_picture(browser)
    until(browser, lambda: state(browser) == "Live", "live")


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

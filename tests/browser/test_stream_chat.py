"""The stream's chat in real browsers on a real daemon: people talk, and lines go down."""

from __future__ import annotations

import pytest
from selenium.webdriver.common.keys import Keys

from tests.browser.browser import PHONE, Browser
from tests.browser.theatre import Theatre, cut_off, hurried, said, say, until, wait_for_chat, wait_for_said

pytestmark = pytest.mark.usefixtures("fresh_storage")

HOSTILE = '<img src=x onerror="document.title=1"><script>document.title=1</script> *really*'
SCROLLED = "return document.getElementById('messages').scrollTop"
SOCKETS = """
  window.sockets = [];
  window.WebSocket = class extends WebSocket { constructor(url) { super(url); sockets.push(this); } };
"""
CLOSED = "return sockets.length > 1 && sockets[0].readyState === WebSocket.CLOSED"


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


def note(browser: Browser) -> str:
    """What the chat says of itself."""
    return browser.find("#chat-said").text


def test_a_line_on_which_nothing_comes_is_left_for_another(browser: Browser, theatre: Theatre) -> None:
    made = browser.driver.execute_cdp_cmd("Page.addScriptToEvaluateOnNewDocument", {"source": SOCKETS})
    # Silence of seventy seconds is one of two.
    with hurried(browser, 35):
        browser.open(theatre.url("/embed/chat/readwrite"))
        until(browser, lambda: browser.driver.execute_script(CLOSED), "left")
    browser.driver.execute_cdp_cmd("Page.removeScriptToEvaluateOnNewDocument", made)
    wait_for_chat(browser)


def test_whose_line_is_there_again_does_not_wait(browser: Browser, theatre: Theatre) -> None:
    with cut_off(browser, "*/api/chat*"), hurried(browser, 0.01):
        browser.open(theatre.url("/embed/chat/readwrite"))
        until(browser, lambda: note(browser) == "Connecting again…", "told")
    browser.driver.execute_script("window.dispatchEvent(new Event('online'))")

    wait_for_chat(browser)
    assert note(browser) == ""


def test_who_is_shut_out_is_told_and_writes_nothing(browser: Browser, theatre: Theatre) -> None:
    theatre.ask("chat/users/ipbans/create", "127.0.0.1")
    try:
        browser.open(theatre.url("/embed/chat/readwrite"))
        until(browser, lambda: note(browser) == "You may not write here.", "told")
        assert not browser.find("#chat-form").is_displayed()
    finally:
        theatre.ask("chat/users/ipbans/remove", "127.0.0.1")

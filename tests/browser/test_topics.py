"""The topics' pages in a real browser on a real daemon: publish, hear, search, be told what is new."""

from __future__ import annotations

import json
import urllib.request
from typing import Any
from urllib.parse import urlsplit

import pytest
from selenium.webdriver.common.by import By
from selenium.webdriver.remote.webelement import WebElement
from selenium.webdriver.support.wait import WebDriverWait

from tests.browser.browser import DEADLINE, DESKTOP, PHONE, Browser
from tests.browser.conftest import Make, add_person
from tests.e2e.daemon import Daemon
from tests.people import PASSWORD

HOSTILE = '<img src=x onerror="document.title=1"><script>document.title=1</script>'


@pytest.fixture(params=[PHONE, DESKTOP], ids=["phone", "desktop"])
def window(request: pytest.FixtureRequest, browser: Browser) -> Browser:
    """A browser of a phone's width and of a desktop's."""
    browser.resize(request.param)
    return browser


def sign_in(browser: Browser, daemon: Daemon, username: str, *, onto: str = "") -> None:
    browser.open(f"{daemon.url}/login?next={onto}")
    browser.fill(login=username, password=PASSWORD)
    browser.press("Sign in")


def path(browser: Browser) -> str:
    return urlsplit(browser.url).path


def call(daemon: Daemon, method: str, target: str, body: Any, token: str = "") -> dict[str, Any]:
    """What a program does over the API."""
    data = body.encode() if isinstance(body, str) else json.dumps(body).encode()
    kind = "text/plain" if isinstance(body, str) else "application/json"
    headers = {"Content-Type": kind, **({"Authorization": f"Bearer {token}"} if token else {})}
    request = urllib.request.Request(f"{daemon.url}{target}", data=data, headers=headers, method=method)
    with urllib.request.urlopen(request, timeout=DEADLINE) as answer:
        answered: dict[str, Any] = json.loads(answer.read() or b"{}")
        return answered


def token_of(daemon: Daemon, username: str) -> str:
    """What opens the API for somebody."""
    body = {"email": f"{username}@example.org", "password": PASSWORD}
    return str(call(daemon, "POST", "/auth/login", body)["access_token"])


def make_topic(daemon: Daemon, username: str, name: str, **members: Any) -> str:
    """A topic of somebody's; returns their token."""
    token = token_of(daemon, username)
    call(daemon, "POST", "/api/topics", {"name": name, **members}, token)
    return token


def messages(browser: Browser) -> list[WebElement]:
    return browser.driver.find_elements(By.CSS_SELECTOR, "#messages > li")


def texts(browser: Browser) -> list[str]:
    # In one step: messages are replaced while somebody looks.
    read: list[str] = browser.driver.execute_script(
        "return Array.from(document.querySelectorAll('#messages > li .text')).map((each) => each.textContent)"
    )
    return read


def wait_until_live(browser: Browser) -> None:
    WebDriverWait(browser.driver, DEADLINE).until(lambda _: browser.find("#state").text == "Live")


def wait_for_texts(browser: Browser, *wanted: str) -> None:
    WebDriverWait(browser.driver, DEADLINE).until(lambda _: texts(browser) == list(wanted), f"{texts(browser)}")


def test_what_a_program_publishes_appears_edits_and_vanishes_live(
    window: Browser, daemon: Daemon, somebody: str
) -> None:
    browser, name = window, f"{somebody}-live"
    token = make_topic(daemon, somebody, name)
    call(daemon, "POST", f"/{name}", "first", token)
    sign_in(browser, daemon, somebody, onto=f"/app/topics/{name}")
    wait_until_live(browser)

    rich = {"title": "Disk full", "priority": 1, "tags": ["raid", "backup"], "click": "https://example.org/disk"}
    second = call(daemon, "POST", f"/{name}", {"message": "second", **rich}, token)
    wait_for_texts(browser, "second", "first")
    newest = messages(browser)[0]
    assert all(text in newest.text for text in ("urgent", "Disk full", "raid", "backup"))
    assert newest.find_element(By.CSS_SELECTOR, ".ways a").get_attribute("href") == "https://example.org/disk"
    assert "edited" not in newest.text

    call(daemon, "PATCH", f"/api/{name}/messages/{second['id']}", {"message": "changed"}, token)
    wait_for_texts(browser, "changed", "first")
    assert "edited" in messages(browser)[0].text
    call(daemon, "DELETE", f"/api/{name}/messages/{second['id']}", {}, token)
    wait_for_texts(browser, "first")
    browser.check()


def test_what_came_while_the_line_was_down_appears_once(browser: Browser, daemon: Daemon, somebody: str) -> None:
    name = f"{somebody}-line"
    token = make_topic(daemon, somebody, name)
    ids = [call(daemon, "POST", f"/{name}", f"number {number}", token)["id"] for number in range(3)]
    sign_in(browser, daemon, somebody, onto=f"/app/topics/{name}")
    wait_until_live(browser)

    daemon.stop()
    WebDriverWait(browser.driver, DEADLINE).until(lambda _: "again" in browser.find("#state").text)
    daemon.start()
    call(daemon, "POST", f"/{name}", "number 3", token)
    call(daemon, "DELETE", f"/api/{name}/messages/{ids[1]}", {}, token)
    wait_for_texts(browser, "number 3", "number 2", "number 0")
    browser.complaints()


def test_hostile_messages_stay_text_when_they_come_live(browser: Browser, daemon: Daemon, somebody: str) -> None:
    name = f"{somebody}-xss"
    token = make_topic(daemon, somebody, name, description=HOSTILE)
    sign_in(browser, daemon, somebody, onto=f"/app/topics/{name}")
    wait_until_live(browser)
    title = browser.driver.title

    action = {"action": "view", "label": HOSTILE, "url": "https://example.org/"}
    message = {"message": HOSTILE, "title": HOSTILE, "tags": [HOSTILE[:50]], "actions": [action]}
    call(daemon, "POST", f"/{name}", message, token)
    wait_for_texts(browser, HOSTILE)

    assert browser.driver.find_elements(By.CSS_SELECTOR, "main img, main script") == []
    assert browser.driver.title == title
    browser.check()
    browser.driver.refresh()
    assert texts(browser) == [HOSTILE]
    assert browser.driver.title == title
    browser.check()


def test_somebody_makes_a_topic_publishes_and_finds_the_message(either: Browser, daemon: Daemon, somebody: str) -> None:
    name = f"{somebody}-made-{'scripts' if either.has_scripts else 'plain'}"
    sign_in(either, daemon, somebody, onto="/app/topics")
    either.press("Make a topic")
    either.fill(name=name)
    either.press("Make the topic")
    assert either.heading == name
    assert "Unsubscribe" in either.text

    for text, priority in (("The kettle boils", "2"), ("The disk is full", "1")):
        either.find(".publish summary").click()
        either.find("textarea[name=message]").send_keys(text)
        either.find(f".publish option[value='{priority}']").click()
        either.fill(title="From the page")
        either.find(".publish input[name=tags]").send_keys("house, test")
        either.press("Publish")
    assert texts(either) == ["The disk is full", "The kettle boils"]
    assert "urgent" in messages(either)[0].text

    either.fill(q="kettl")
    either.press("Search")
    assert "Found: 1" in either.text
    assert "The disk is full" not in either.text
    either.press_in("nav", "Search")
    either.fill(q="disk")
    either.press("Search")
    assert "The disk is full" in either.text
    either.press(name)
    assert either.heading == name


def test_a_subscriber_sees_unread_counts_that_looking_clears(either: Browser, daemon: Daemon, somebody: str) -> None:
    name = f"{somebody}-{'scripts' if either.has_scripts else 'plain'}"
    token = make_topic(daemon, somebody, name)
    sign_in(either, daemon, somebody, onto="/app/topics")
    for number in range(3):
        call(daemon, "POST", f"/{name}", f"number {number}", token)

    either.open(f"{daemon.url}/app/topics")
    assert "3 unread" in either.text
    either.press(name)
    either.open(f"{daemon.url}/app/topics")
    assert "unread" not in either.text


def test_what_somebody_watches_come_in_is_not_unread(browser: Browser, daemon: Daemon, somebody: str) -> None:
    name = f"{somebody}-watched"
    token = make_topic(daemon, somebody, name)
    sign_in(browser, daemon, somebody, onto=f"/app/topics/{name}")
    wait_until_live(browser)

    call(daemon, "POST", f"/{name}", "news", token)
    wait_for_texts(browser, "news")

    def is_viewed(_: object) -> bool:
        (subscription,) = read(daemon, "/api/subscriptions", token)["subscriptions"]
        return bool(subscription["unread_count"] == 0)

    WebDriverWait(browser.driver, DEADLINE).until(is_viewed)


def read(daemon: Daemon, target: str, token: str) -> Any:
    """What the API answers."""
    request = urllib.request.Request(f"{daemon.url}{target}", headers={"Authorization": f"Bearer {token}"})
    with urllib.request.urlopen(request, timeout=DEADLINE) as answer:
        return json.loads(answer.read())


def test_a_stranger_on_a_private_topic_is_led_to_sign_in_and_back(
    either: Browser, daemon: Daemon, somebody: str
) -> None:
    name = f"{somebody}-private"
    token = make_topic(daemon, somebody, name)
    call(daemon, "POST", f"/{name}", "Nobody else's", token)

    either.open(f"{daemon.url}/app/topics/{name}")
    assert path(either) == "/login"
    either.fill(login=somebody, password=PASSWORD)
    either.press("Sign in")
    assert (path(either), texts(either)) == (f"/app/topics/{name}", ["Nobody else's"])


def test_a_stranger_reads_and_publishes_where_everybody_may(either: Browser, daemon: Daemon) -> None:
    either.open(daemon.url)
    either.press("welcome")
    either.find(".publish summary").click()
    either.find("textarea[name=message]").send_keys("Hello from a stranger")
    either.press("Publish")

    assert texts(either)[0] == "Hello from a stranger"
    assert "Subscribe" not in either.text


def test_a_topic_is_deleted_by_its_name(either: Browser, daemon: Daemon, somebody: str) -> None:
    name = f"{somebody}-doomed"
    make_topic(daemon, somebody, name)
    sign_in(either, daemon, somebody, onto=f"/app/topics/{name}")
    either.press("Settings")
    either.fill(confirm="another")
    either.press("Delete the topic")
    assert "another name" in either.text
    either.fill(confirm=name)
    either.press("Delete the topic")

    assert path(either) == "/app/topics"
    assert "The topic is deleted." in either.text
    assert name not in either.find("main").text


def test_the_worker_that_shows_notifications_is_allowed_by_the_page(browser: Browser, make_daemon: Make) -> None:
    push = {"providers": ["webpush"], "vapid_subject": "mailto:ops@example.org"}
    daemon = make_daemon({"plugins": {"topics": {"push": push}}})
    daemon.start()
    add_person(daemon, "ada")
    sign_in(browser, daemon, "ada", onto="/app/topics/welcome")

    WebDriverWait(browser.driver, DEADLINE).until(lambda _: browser.find("#notify").is_displayed())
    assert browser.find("#notify").text == "Notify this browser"
    scope = browser.driver.execute_async_script(
        "const done = arguments[0];"
        "navigator.serviceWorker.register('/app/notifications.js', {scope: '/app/'})"
        ".then(() => navigator.serviceWorker.ready).then((found) => done(found.scope), (error) => done(String(error)));"
    )
    assert scope == f"{daemon.url}/app/"
    browser.check()

"""The host's pages in a real browser on a real daemon whose host is a folder."""

from __future__ import annotations

import urllib.request
from collections.abc import Callable, Iterator

import pytest
from selenium.webdriver.support.wait import WebDriverWait

from tests.browser.browser import DEADLINE, DESKTOP, OFTEN, PHONE, Browser
from tests.browser.conftest import add_person
from tests.e2e.daemon import Daemon
from tests.people import PASSWORD, QUICK


@pytest.fixture(scope="module")
def managed(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Daemon]:
    """A daemon that manages a folder, with an administrator."""
    folder = tmp_path_factory.mktemp("managed")
    host = {"enabled": True, "backend": "sandbox", "root": str(folder / "host")}
    made = Daemon(folder, {"identity": QUICK, "plugins": {"hostservices": host}})
    made.start()
    add_person(made, "keeper", "--admin")
    yield made
    made.kill()


def sign_in(browser: Browser, daemon: Daemon) -> None:
    browser.open(f"{daemon.url}/app/host")
    browser.fill(login="keeper", password=PASSWORD)
    browser.press("Sign in")
    assert browser.heading == "Services"


def wait_until(browser: Browser, is_so: Callable[[], bool], *, again: bool = False) -> None:
    """Look until something is so; with `again` as people do without scripts."""

    def look(_: object) -> bool:
        if again:
            browser.open(browser.url)
        return is_so()

    WebDriverWait(browser.driver, DEADLINE, OFTEN).until(look, browser.text)


def ended_rows(browser: Browser) -> int:
    return len(browser.driver.find_elements("css selector", "[data-job][data-state=done]"))


def test_a_service_is_switched_and_a_job_seen_to_its_end(either: Browser, managed: Daemon) -> None:
    sign_in(either, managed)
    either.press_in("li:has(a[href$='/gitea'])", "Switch on")
    assert "Gitea is switched on." in either.text
    either.press("Gitea")
    assert "Started Gitea." in either.text
    either.press_in("nav", "Services")
    either.press_in("li:has(a[href$='/gitea'])", "Switch off")

    either.press_in("nav", "Updates")
    either.press("Upgrade now")
    assert either.heading == "Upgrade"
    wait_until(either, lambda: "done" in either.text, again=not either.has_scripts)


def test_jobs_come_and_end_while_somebody_looks(browser: Browser, managed: Daemon) -> None:
    made = managed.manor("token", "new", "--kind", "device", "--label", "phone")
    device = {"Authorization": f"Bearer {made.stdout.split()[-1]}"}
    sign_in(browser, managed)
    browser.press_in("nav", "Jobs")
    before = ended_rows(browser)

    started = urllib.request.Request(f"{managed.url}/system/configuration/apply", headers=device)
    urllib.request.urlopen(started, timeout=DEADLINE).close()
    browser.wait_for("asked for by phone")
    wait_until(browser, lambda: ended_rows(browser) == before + 1)

    for size in (DESKTOP, PHONE):
        browser.resize(size)
        for page in ("", "/jobs", "/backups", "/updates", "/ssh", "/services/gitea", "/unlock"):
            browser.open(f"{managed.url}/app/host{page}")

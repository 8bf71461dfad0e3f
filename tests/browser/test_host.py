"""The host's pages in a real browser on a real daemon whose host is a folder."""

from __future__ import annotations

import json
import urllib.request
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import pytest
from selenium.webdriver.support.wait import WebDriverWait

from tests.browser.browser import DEADLINE, DESKTOP, OFTEN, PHONE, Browser
from tests.browser.conftest import add_person
from tests.e2e.daemon import Daemon
from tests.host_restic import FakeRestic, fake_restic
from tests.people import PASSWORD, QUICK


@dataclass(frozen=True)
class Managed:
    """A daemon, and what it makes backups with."""

    daemon: Daemon
    restic: FakeRestic

    @property
    def url(self) -> str:
        return self.daemon.url

    def ask(self, method: str, path: str, body: object = None) -> None:
        """Have something done, as a phone does."""
        made = self.daemon.manor("token", "new", "--kind", "device", "--label", "phone")
        headers = {"Authorization": f"Bearer {made.stdout.split()[-1]}", "Content-Type": "application/json"}
        sent = urllib.request.Request(f"{self.url}{path}", json.dumps(body).encode(), headers, method=method)
        urllib.request.urlopen(sent, timeout=DEADLINE).close()


@pytest.fixture(scope="module")
def managed(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Managed]:
    """A daemon that manages a folder, with an administrator."""
    folder = tmp_path_factory.mktemp("managed")
    restic = fake_restic(folder / "restic")
    backup = {"repository": "s3:https://s3.example.org/{bucket}/x", "restic": restic.path, "schedule": ""}
    host = {"enabled": True, "backend": "sandbox", "root": str(folder / "host"), "backup": backup}
    made = Daemon(folder, {"identity": QUICK, "plugins": {"hostservices": host}})
    made.start()
    add_person(made, "keeper", "--admin")
    yield Managed(made, restic)
    made.kill()


def sign_in(browser: Browser, managed: Managed) -> None:
    browser.open(f"{managed.url}/app/host")
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


def bars(browser: Browser) -> list[str]:
    """How far what runs is, as the page shows it."""
    return [str(each.get_property("value")) for each in browser.driver.find_elements("css selector", "progress")]


def test_a_service_is_switched_and_a_job_seen_to_its_end(either: Browser, managed: Managed) -> None:
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


def test_where_backups_go_is_tried_and_then_saved(either: Browser, managed: Managed) -> None:
    restic = managed.restic
    (restic.folder / "made").unlink(missing_ok=True)
    restic.fail(
        "cat", "Fatal: unable to open config file: Stat: The access key ID you provided does not exist: top-secret"
    )
    sign_in(either, managed)
    either.press_in("nav", "Backups")
    if not either.find("#store").is_displayed():
        either.find("details:has(#store) summary").click()
    assert "To an S3 store: s3:https://s3.example.org/{bucket}/x" in either.text

    def press_test() -> None:
        if either.has_scripts:
            either.find("#store button[value=test]").click()
        else:
            either.press_in("#store", "Test")

    either.fill(account="0012ab", secret="top-secret", bucket="our-backups")
    press_test()
    either.wait_for("The store does not let us in")
    assert "does not exist: ***" in either.text
    # With scripts it is still there; else it is typed again, for no page says it.
    assert either.value("secret") == ("top-secret" if either.has_scripts else "")
    restic.mend("cat")
    either.fill(secret="top-secret")
    press_test()
    either.wait_for("There is no repository yet")
    assert (either.value("account"), either.value("bucket")) == ("0012ab", "our-backups")
    assert not (restic.folder / "made").exists()
    for size in (PHONE, DESKTOP):
        either.resize(size)
        either.check()

    either.fill(secret="top-secret")
    either.press_in("#store", "Save")
    assert either.heading == "Set up the repository"
    wait_until(either, lambda: "The repository is set up" in either.text, again=not either.has_scripts)


def test_jobs_come_go_on_and_end_while_somebody_looks(browser: Browser, managed: Managed) -> None:
    sign_in(browser, managed)
    browser.press_in("nav", "Backups")
    store = {"accountId": "0012ab", "accountKey": "secret", "bucket": "my-bucket"}
    managed.ask("PUT", "/services/restic/backblaze/config", store)
    browser.wait_for("0a1b2c3d")

    managed.restic.hold("backup")
    managed.ask("PUT", "/services/restic/backup/create")
    wait_until(browser, lambda: bars(browser) == ["0.25"])
    browser.resize(PHONE)
    browser.check()
    browser.press("Backup")
    assert (browser.heading, bars(browser)) == ("Backup", ["0.25"])
    managed.restic.let_go("backup")
    browser.wait_for("0a1b2c3d")
    assert bars(browser) == []

    for size in (DESKTOP, PHONE):
        browser.resize(size)
        for page in ("", "/jobs", "/backups", "/updates", "/ssh", "/services/gitea", "/unlock"):
            browser.open(f"{managed.url}/app/host{page}")

"""Browsers and what they look at: a daemon on a port of its own, with a mail server beside it."""

from __future__ import annotations

import itertools
import re
from collections.abc import Callable, Iterator, Mapping
from email.message import EmailMessage
from pathlib import Path
from typing import Any

import pytest
from selenium import webdriver

from tests.browser.browser import DESKTOP, Browser, start
from tests.browser.theatre import Theatre, forget_what_is_kept, opened
from tests.core.mailing import Sink, open_sink
from tests.e2e.daemon import Daemon
from tests.people import PASSWORD, QUICK

Make = Callable[..., Daemon]


@pytest.fixture(scope="session")
def chromium() -> Iterator[webdriver.Chrome]:
    driver = start()
    yield driver
    driver.quit()


@pytest.fixture(scope="session")
def scriptless_chromium() -> Iterator[webdriver.Chrome]:
    driver = start(has_scripts=False)
    yield driver
    driver.quit()


@pytest.fixture(scope="session")
def other_chromium() -> Iterator[webdriver.Chrome]:
    driver = start()
    yield driver
    driver.quit()


@pytest.fixture
def browser(chromium: webdriver.Chrome) -> Browser:
    """A browser that nobody has used before."""
    fresh = Browser(chromium)
    fresh.forget()
    return fresh


@pytest.fixture
def scriptless(scriptless_chromium: webdriver.Chrome) -> Browser:
    """The same, and no script runs in it."""
    fresh = Browser(scriptless_chromium, has_scripts=False)
    fresh.forget()
    return fresh


@pytest.fixture(params=["scripts", "no scripts"])
def either(request: pytest.FixtureRequest) -> Browser:
    """A browser that runs scripts, and one that does not."""
    found: Browser = request.getfixturevalue("browser" if request.param == "scripts" else "scriptless")
    return found


@pytest.fixture(scope="session")
def mailbox() -> Iterator[Sink]:
    """A mail server."""
    with open_sink() as sink:
        yield sink


@pytest.fixture(scope="session")
def daemon(tmp_path_factory: pytest.TempPathFactory, mailbox: Sink) -> Iterator[Daemon]:
    """A daemon that serves, sends mail and counts nobody's requests; tests share it, each with people of its own."""
    made = Daemon(tmp_path_factory.mktemp("browsed"), _tables(mailbox))
    made.start()
    yield made
    made.kill()


@pytest.fixture
def make_daemon(tmp_path: Path, mailbox: Sink) -> Iterator[Make]:
    """Makes daemons of a test's own, that are not started yet; further tables are joined with theirs."""
    made: list[Daemon] = []

    def make(tables: Mapping[str, Any] | None = None) -> Daemon:
        made.append(Daemon(tmp_path, _tables(mailbox, tables)))
        return made[-1]

    yield make
    for each in made:
        each.kill()


@pytest.fixture(scope="module")
def theatre(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Theatre]:
    """A daemon with a stream; tests of a module share it, and the broadcast that one of them begins."""
    made = opened(tmp_path_factory.mktemp("theatre"))
    yield made
    made.leave()
    made.daemon.kill()


@pytest.fixture
def other(other_chromium: webdriver.Chrome, theatre: Theatre) -> Browser:
    """Somebody else's browser."""
    fresh = Browser(other_chromium)
    fresh.forget()
    forget_what_is_kept(fresh, theatre)
    return fresh


@pytest.fixture
def fresh_storage(browser: Browser, theatre: Theatre) -> None:
    """What the stream's pages kept in this browser is gone."""
    forget_what_is_kept(browser, theatre)
    browser.resize(DESKTOP)


_numbers = itertools.count(1)


@pytest.fixture
def somebody(daemon: Daemon) -> str:
    """The name of a person whom no other test knows, with the tests' password."""
    username = f"somebody{next(_numbers)}"
    add_person(daemon, username)
    return username


def add_person(daemon: Daemon, username: str, *options: str) -> None:
    """Add somebody with the tests' password."""
    arguments = ("user", "add", f"{username}@example.org", "--username", username, "--password-stdin", *options)
    done = daemon.manor(*arguments, stdin=PASSWORD)
    assert done.returncode == 0, done.stderr


def link_in(mail: EmailMessage) -> str:
    """The link that a mail asks its reader to open."""
    body = mail.get_body(("plain",))
    assert body is not None
    found = re.search(r"^\s*(http://\S+)\s*$", body.get_content(), re.MULTILINE)
    assert found is not None
    return found[1]


def _tables(mailbox: Sink, more: Mapping[str, Any] | None = None) -> dict[str, Any]:
    more = more or {}
    smtp = {"host": "127.0.0.1", "port": mailbox.port, "from": "Manor <manor@example.org>"}
    server = {"smtp": smtp, "limits": {"address_limit_factor": 0}, **more.get("server", {})}
    return {**more, "server": server, "identity": {**QUICK, **more.get("identity", {})}}

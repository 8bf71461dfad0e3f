"""People's whole way through the pages, in a real browser on a real daemon."""

from __future__ import annotations

from datetime import UTC, datetime
from urllib.parse import urlsplit

import pyotp
import pytest
import trio

from manor import NewUser, Transaction, add_user, create_team, invite
from manor.config import load
from manor.house import open_house
from tests.browser.browser import DESKTOP, PHONE, Browser
from tests.browser.conftest import Make, add_person, link_in
from tests.core.mailing import Sink
from tests.e2e.daemon import Daemon
from tests.people import PASSWORD

ANOTHER = "another horse battery"


@pytest.fixture(params=[PHONE, DESKTOP], ids=["phone", "desktop"])
def window(request: pytest.FixtureRequest, browser: Browser) -> Browser:
    """A browser of a phone's width and of a desktop's."""
    browser.resize(request.param)
    return browser


def sign_in(browser: Browser, daemon: Daemon, username: str, password: str = PASSWORD) -> None:
    browser.open(f"{daemon.url}/login")
    browser.fill(login=username, password=password)
    browser.press("Sign in")


def path(browser: Browser) -> str:
    return urlsplit(browser.url).path


def test_somebody_signs_up_verifies_signs_in_and_signs_out(
    window: Browser, daemon: Daemon, mailbox: Sink, request: pytest.FixtureRequest
) -> None:
    browser, ada = window, f"ada-{request.node.callspec.id}"
    browser.open(f"{daemon.url}/login")
    browser.press("I have no account yet")
    browser.fill(username=ada, email=f"{ada}@example.org", password=PASSWORD)
    browser.tick("terms")
    browser.press("Make the account")
    assert browser.heading == "Look into your mail"
    sign_in(browser, daemon, ada)
    assert "is not verified yet" in browser.text

    browser.open(link_in(mailbox.wait_for(f"{ada}@example.org")))
    assert browser.heading == "Your e-mail address is verified"
    sign_in(browser, daemon, ada)
    assert (path(browser), browser.heading) == ("/account", ada)

    browser.open(f"{daemon.url}/logout")
    browser.press("Sign out")
    assert browser.heading == "You are signed out"
    browser.open(f"{daemon.url}/account")
    assert path(browser) == "/login"


def test_a_wrong_password_is_told_and_the_name_is_kept(either: Browser, daemon: Daemon, somebody: str) -> None:
    sign_in(either, daemon, somebody, password="not hers at all")

    assert "Wrong e-mail address, username or password." in either.text
    assert (either.value("login"), either.value("password")) == (somebody, "")
    either.fill(password=PASSWORD)
    either.press("Sign in")
    assert either.heading == somebody


def test_a_forgotten_password_is_replaced_by_mail(
    either: Browser, daemon: Daemon, mailbox: Sink, somebody: str
) -> None:
    either.open(f"{daemon.url}/login")
    either.press("I forgot my password")
    either.fill(email=f"{somebody}@example.org")
    either.press("Send the link")
    assert "a link is on its way" in either.text

    link = link_in(mailbox.wait_for(f"{somebody}@example.org"))
    either.open(link)
    either.fill(new_password="password")
    either.press("Change the password")
    assert "Too common" in either.text
    either.fill(new_password=ANOTHER)
    either.press("Change the password")
    assert "Your password was changed" in either.text
    sign_in(either, daemon, somebody, password=ANOTHER)
    assert either.heading == somebody

    either.open(link)
    assert "not valid any more" in either.text


def test_a_second_factor_is_set_up_and_asked_for(either: Browser, daemon: Daemon, somebody: str) -> None:
    sign_in(either, daemon, somebody)
    either.press("Set up an app")
    app = pyotp.TOTP(either.find("code").text)
    either.fill(code="000000")
    either.press("Ask for codes from now on")
    assert "The code is wrong" in either.text
    assert pyotp.TOTP(either.find("code").text).secret == app.secret
    either.fill(code=app.at(datetime.now(UTC)))  # noqa: TID251 - the daemon's clock is the machine's
    either.press("Ask for codes from now on")
    codes = [each.text for each in either.driver.find_elements("css selector", ".codes code")]
    assert len(codes) == 10

    either.press_in("nav", "Sign out")
    either.press("Sign out")
    sign_in(either, daemon, somebody)
    assert either.heading == "Enter your code"
    either.fill(code=codes[3])
    either.press("Go on")
    assert "You have 9 recovery codes left" in either.text
    either.fill(code=codes[4])
    either.press("Ask for codes no more")
    assert "Signing in takes no code any more" in either.text


def test_a_changed_password_signs_out_everywhere_else(
    browser: Browser, scriptless: Browser, daemon: Daemon, somebody: str
) -> None:
    sign_in(browser, daemon, somebody)
    sign_in(scriptless, daemon, somebody)

    browser.fill(current_password=PASSWORD, new_password=ANOTHER)
    browser.press("Change the password")
    assert "You are signed out everywhere else" in browser.text

    scriptless.open(f"{daemon.url}/account")
    assert path(scriptless) == "/login"


def test_one_session_is_ended_from_another(
    browser: Browser, scriptless: Browser, daemon: Daemon, somebody: str
) -> None:
    sign_in(browser, daemon, somebody)
    sign_in(scriptless, daemon, somebody)

    browser.open(f"{daemon.url}/account")
    browser.press_in(".rows", "Sign out")
    assert "That session is over" in browser.text

    scriptless.open(f"{daemon.url}/account")
    assert path(scriptless) == "/login"


def test_the_set_up_link_makes_the_first_admin_once(either: Browser, make_daemon: Make) -> None:
    daemon = make_daemon()
    running = daemon.start()
    line = running.log.wait_for("auth.setup_link")
    link = next(part for part in line.replace('"', " ").split() if part.startswith("http"))

    either.open(link)
    either.fill(username="all", email="root@example.org", password=PASSWORD)
    either.press("Make the account")
    assert "is reserved" in either.text
    assert (either.value("email"), either.value("password")) == ("root@example.org", "")
    either.fill(username="root", password=PASSWORD)
    either.press("Make the account")
    assert either.heading == "root"
    assert "You administer this server" in either.text

    either.open(link)
    assert either.heading == "This server is set up already"
    refused = daemon.manor("auth", "setup-link")
    assert (refused.returncode, "set up already" in refused.stderr) == (1, True)


def test_the_shell_makes_a_new_set_up_link_for_a_running_daemon(browser: Browser, make_daemon: Make) -> None:
    daemon = make_daemon()
    running = daemon.start()
    line = running.log.wait_for("auth.setup_link")
    first = next(part for part in line.replace('"', " ").split() if part.startswith("http"))

    second = daemon.manor("auth", "setup-link").stdout.strip()

    browser.open(first)
    assert "manor auth setup-link" in browser.text
    browser.open(second)
    assert browser.find("input[name=username]").get_attribute("autocomplete") == "username"
    add_person(daemon, "root", "--admin")
    browser.fill(username="eve", email="eve@example.org", password=PASSWORD)
    browser.press("Make the account")
    assert browser.heading == "This server is set up already"


def test_each_start_without_people_logs_another_link(browser: Browser, make_daemon: Make) -> None:
    daemon = make_daemon()
    links = []
    for _ in range(2):
        running = daemon.start()
        line = running.log.wait_for("auth.setup_link")
        links.append(next(part for part in line.replace('"', " ").split() if part.startswith("http")))
        if len(links) == 1:
            daemon.stop()

    browser.open(links[0])
    assert "manor auth setup-link" in browser.text
    browser.open(links[1])
    assert browser.find("form").get_attribute("action") == f"{daemon.url}/setup"


def test_an_invited_person_signs_in_and_joins(either: Browser, make_daemon: Make) -> None:
    daemon = make_daemon()
    add_person(daemon, "ada")
    token = trio.run(invited, daemon)
    daemon.start()

    either.open(f"{daemon.url}/teams/invite?token={token}")
    assert "owner asks ada@example.org to join the team garden" in either.text
    either.press("Sign in")
    either.fill(login="ada", password=PASSWORD)
    either.press("Sign in")
    either.press("Join as ada")
    assert either.heading == "You are in"
    assert "garden" in daemon.manor("user", "show", "ada").stdout


async def invited(daemon: Daemon) -> str:
    """The token of an invite for Ada, made while nothing serves."""

    def work(transaction: Transaction) -> str:
        owner = add_user(transaction, NewUser(username="owner", email="owner@example.org", tier="FREE"))
        team = create_team(transaction, owner.id, name="garden", display_name="The Garden")
        return invite(transaction, team.id, email="ada@example.org", role="member", invited_by_id=owner.id)[1]

    async with open_house(load(daemon.config, {}), serve=False) as house:
        return await house.storage.write(work)


def test_what_a_provider_brought_for_an_app_leaves_the_address_bar(browser: Browser, daemon: Daemon) -> None:
    browser.open(f"{daemon.url}/auth/callback#access_token=abc&refresh_token=def")
    assert browser.heading == "You are signed in"
    assert "abc" not in browser.url

    browser.open(f"{daemon.url}/login")
    browser.driver.get(f"{daemon.url}/auth/callback#error=access_denied")
    browser.wait_for("You did not let the provider sign you in.")


def test_without_scripts_the_way_back_from_a_provider_says_what_to_do(scriptless: Browser, daemon: Daemon) -> None:
    scriptless.open(f"{daemon.url}/auth/callback#access_token=abc")

    assert "go back to it" in scriptless.text

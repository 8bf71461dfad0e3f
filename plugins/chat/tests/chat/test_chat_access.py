"""Who may call chat's operations at all: nobody without a credential of chat's, save what is open on purpose."""

from __future__ import annotations

import re

import pytest

from manor import Principal
from manor.matching import OwnedRoute
from manor.routing import Upgrade
from manor.testing import Client, House
from tests.chat_people import Crew

OPEN = {
    "GET /.well-known/oauth-authorization-server",
    "GET /api/v4/config/client",
    "GET /api/v4/files/{file_id}/public",
    "GET /api/v4/license/client",
    "GET /api/v4/plugins/webapp",
    "GET /api/v4/system/ping",
    "GET /api/v4/teams/invite/{invite_id}",
    "GET /api/v4/websocket",
    "GET /files/{file_id}/public",
    "POST /api/v4/actions/dialogs/open",
    "POST /api/v4/oauth/apps/register",
    "POST /api/v4/opengraph",
    "POST /api/v4/users",
    "POST /api/v4/users/login",
    "POST /api/v4/users/login/type",
    "POST /api/v4/users/logout",
    "POST /api/v4/users/password/reset",
    "POST /api/v4/users/password/reset/send",
    "POST /hooks/commands/{response_id}",
    "POST /hooks/{hook_id}",
    "POST /oauth/access_token",
}
"""Open to everybody: what comes before a sign-in, and what has a secret of its own in its path or body."""

PAGES = {"GET /oauth/authorize", "POST /oauth/consent"}
"""For browsers, which are led to the sign-in page."""

FOREIGN = ("access", "api_key", "device", "stream_user", "topic_token", "chat_oauth_refresh")


def routes_of(house: House) -> list[OwnedRoute]:
    return [owned for owned in house.services.routes if owned.owner == "chat"]


def path_of(owned: OwnedRoute) -> str:
    return re.sub(r"\{[a-z_]+\}", "y" * 26, owned.route.path)


async def test_what_is_open_is_open_on_purpose(house: House) -> None:
    is_open = {str(owned) for owned in routes_of(house) if owned.route.access.is_public}

    assert is_open == OPEN


@pytest.mark.manor(config={"plugins": {"chat": {"requests_at_once": 100_000}}})
async def test_nobody_calls_an_operation_without_a_credential_of_chats(house: House, crew: Crew) -> None:
    stranger = Client(house.dispatcher)
    guests = [stranger, *(stranger(principals=[Principal(kind, user_id=crew.bob.id)]) for kind in FOREIGN)]
    wrong = []
    for owned in routes_of(house):
        if str(owned) in OPEN | PAGES or owned.route.websocket is not Upgrade.NO:
            continue
        for number, guest in enumerate(guests):
            answer = await guest.request(owned.route.method, path_of(owned))
            code = answer.json()["id"] if answer.body else ""
            if (answer.status, code) != (401, "api.context.session_expired.app_error"):
                wrong.append(f"{owned}: {['nobody', *FOREIGN][number]} is answered {answer.status} {code}")

    assert not wrong, "\n".join(wrong)


async def test_somebody_who_is_gone_is_nobody(house: House, crew: Crew) -> None:
    """A credential that outlived its person by a moment opens nothing, and breaks nothing."""
    gone = Client(house.dispatcher)(principals=[Principal("chat_session", user_id=None)])
    wrong = []
    for owned in routes_of(house):
        if owned.route.access.is_public or str(owned) in PAGES or owned.route.websocket is not Upgrade.NO:
            continue
        answer = await gone.request(owned.route.method, path_of(owned), body=b"{}")
        if answer.status >= 500 and answer.status != 501:
            wrong.append(f"{owned}: {answer.status}")

    assert not wrong, "\n".join(wrong)


@pytest.mark.manor(config={"plugins": {"chat": {"requests_at_once": 100_000}}})
async def test_no_body_whatever_is_a_fault_of_ours(house: House, crew: Crew) -> None:
    """Each operation with bodies that are none of its own: refused in the dialect, or taken; never a 500."""
    bodies = [b"", b"{}", b"[]", b"null", b'"x"', b"[1]", b'[""]', b'{"a":' * 200, b"\xff\xfe", b'{"id": 7}']
    wrong = []
    for owned in routes_of(house):
        if str(owned) in PAGES or owned.route.websocket is not Upgrade.NO:
            continue
        for body in bodies if owned.route.body is not None else [b""]:
            answer = await crew.bob.client.request(owned.route.method, path_of(owned), body=body)
            if answer.status >= 500 and answer.status != 501:
                wrong.append(f"{owned}: {answer.status} for {body[:20]!r}")

    assert not wrong, "\n".join(wrong)

"""What all operations have in common: how errors look, where credentials stand, what every answer says."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from manor import MATTERMOST, Api, Cookie, Head, Kinds, Rate, RateHeaders, Route
from manor import Query as QueryParameter
from manor_chat.config import ChatConfig

VERSION = "10.5.0"
"""The Mattermost server whose API this is: clients switch features on by the three numbers."""

SESSION = "chat_session"
ACCESS_TOKEN = "pat"  # noqa: S105 - the kind's name
OAUTH = "chat_oauth"
KINDS = frozenset({SESSION, ACCESS_TOKEN, OAUTH})

SIGNED_IN = Kinds(*sorted(KINDS))
"""Whoever has signed in, by whatever credential of chat's; what they may is asked of their roles."""

IN_PERSON = Kinds(SESSION, ACCESS_TOKEN)
"""The same without programs that people let act for them, and may send away again: those change neither how somebody
comes in nor where they are signed in, and have nothing that still opens something when they are gone.
"""

COOKIE = "MMAUTHTOKEN"


class ChatCookie(Cookie):
    """The session's cookie; an empty one is none."""

    def find(self, head: Head) -> str | None:
        """The token."""
        return super().find(head) or None


class ChatBearer:
    """`Authorization: Bearer TOKEN`, or `token TOKEN`, whatever the word's case.

    A cookie beats it, and any other scheme is none of ours: a proxy in front may ask for a password of its own.
    """

    is_ambient = False

    def find(self, head: Head) -> str | None:
        """The token, where no cookie came with it."""
        scheme, _, token = (head.headers.get("authorization") or "").partition(" ")
        if scheme.lower() not in ("bearer", "token") or _SESSION_COOKIE.find(head) is not None:
            return None
        return token.strip()


_SESSION_COOKIE = ChatCookie(COOKIE)
PLACES = (_SESSION_COOKIE, ChatBearer(), QueryParameter("access_token"))


def version_id(config_hash: str) -> str:
    """The header `X-Version-Id`: version, build, what the client's configuration is, whether there is a licence."""
    return f"{VERSION}.{VERSION}.{config_hash}.false"


def make_api(config: ChatConfig, version: Callable[[], str]) -> Api:
    """The API as the admin has it.

    Args:
        config: The plugin's table at the start.
        version: See `version_id`, as it is now: a reload changes it.
    """
    rate = Rate(config.requests_per_second * 60, burst=config.requests_at_once)
    return Api(
        "chat",
        dialect=MATTERMOST,
        kinds=KINDS,
        places=PLACES,
        # Somebody whose session is over signs in again with its cookie still in the request.
        ignores_bad_credentials=True,
        challenge="",
        anonymous_rate=rate,
        signed_in_rate=rate,
        rate_headers=RateHeaders.SECONDS,
        collapses_slashes=True,
        headers={"Expires": "0"},
        live_headers=lambda: {"X-Version-Id": version()},
        prefixes=("/api/v4",),
        bad_value_status=400,
        missing_credential="Invalid or expired session, please login again.",
        bad_credential="Invalid or expired session, please login again.",
    )


def operation(api: Api, line: str, handler: Any, *, access: Any, tag: str, **more: Any) -> Route:
    """One operation below `/api/v4`.

    Args:
        api: See `make_api`.
        line: Method and path, as in `GET /users/{user_id}`.
        handler: See `Route`.
        access: `SIGNED_IN` or `PUBLIC`.
        tag: The API's.
        more: See `Route`.
    """
    method, path = line.split()
    return Route(method, f"/api/v4{path}", handler, api=api, access=access, tag=tag, **more)

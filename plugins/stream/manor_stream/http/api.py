"""What the operations have in common: how errors look, who comes in, and how often."""

from __future__ import annotations

from functools import partial

import msgspec

from manor import BASIC_RESPONSE, Api, Basic, BearerAlone, Kinds, Query, Rate, Reply, Route
from manor_stream.key_check import STREAM_ADMIN

INTEGRATION = "integration"
"""The kind of credential that bots have."""

CHAT_USER = "stream_chat"
"""The kind of credential that a chat name is kept with."""

ANYWHERE = {"Access-Control-Allow-Origin": "*"}
"""Public answers, and those to bots, are open to every page on the web (contract of the Owncast API)."""

UNCACHED = {"Cache-Control": "no-cache, no-store, must-revalidate"}

PUBLIC_API = Api(
    "stream",
    BASIC_RESPONSE,
    kinds=frozenset({CHAT_USER}),
    places=(Query("accessToken"),),
    ignores_bad_credentials=True,
    anonymous_rate=Rate(1200),
    signed_in_rate=Rate(1200),
    headers=ANYWHERE,
    cors=False,
    bad_value_status=400,
)
"""What everybody may ask."""

POLLED_API = Api("stream status", BASIC_RESPONSE, places=(), anonymous_rate=Rate(12_000), headers=ANYWHERE, cors=False)
"""What every viewer asks each few seconds; many may be behind one address."""

ADMIN_API = Api(
    "stream admin",
    BASIC_RESPONSE,
    kinds=frozenset({STREAM_ADMIN}),
    places=(Basic(),),
    challenge='Basic realm="Manor stream", charset="UTF-8"',
    anonymous_rate=Rate(300),
    signed_in_rate=Rate(1200),
    prefixes=("/api/admin",),
    credential_first=True,
    bad_value_status=400,
)
"""What the user `admin` may ask, with the stream key."""

INTEGRATION_API = Api(
    "stream integrations",
    BASIC_RESPONSE,
    kinds=frozenset({INTEGRATION}),
    places=(BearerAlone(),),
    anonymous_rate=Rate(300),
    signed_in_rate=Rate(1200),
    headers=ANYWHERE,
    cors=False,
    prefixes=("/api/integrations",),
    credential_first=True,
    unfit_credential_status=401,
    bad_value_status=400,
)
"""What bots may ask; a token without the scope is told the same as one that nobody made."""

ADMINISTRATOR = Kinds(STREAM_ADMIN)

admin_route = partial(Route, api=ADMIN_API, access=ADMINISTRATOR)
"""A route of the user `admin`'s."""

MESSAGES = "CAN_SEND_MESSAGES"
SYSTEM_MESSAGES = "CAN_SEND_SYSTEM_MESSAGES"
ADMIN_ACCESS = "HAS_ADMIN_ACCESS"
SCOPES = {
    MESSAGES: "Write in the stream's chat.",
    SYSTEM_MESSAGES: "Write in the stream's chat as the server.",
    ADMIN_ACCESS: "Administer the stream: its title, its chat, who watches.",
}


class BasicResponse(msgspec.Struct, frozen=True):
    """How most operations that change something answer."""

    success: bool
    message: str


def basic_response(message: str, *, success: bool = True) -> Reply:
    """The Owncast API's `BasicResponse`, with status 200 either way."""
    return Reply(msgspec.json.encode(BasicResponse(success, message)))


def uncached(value: object) -> Reply:
    """What is true now alone, or is a secret: kept by nobody on the way."""
    return Reply(msgspec.json.encode(value), headers=UNCACHED)

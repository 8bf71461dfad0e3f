"""What the operations have in common: where credentials stand, what an address may do, what queries say."""

from __future__ import annotations

from typing import Annotated, Literal

import msgspec
from msgspec import Meta

from manor import Api, Bearer, Header, Kinds, Rate, RateHeaders
from manor import Query as QueryParameter
from manor_topics.rights import TOPIC_TOKEN

PLACES = (Header("X-Topic-Token"), Header("X-API-Key"), Bearer())
STREAM_PLACES = (QueryParameter("token"),)
"""Where credentials stand on routes that browsers open without headers of their own."""

KINDS = frozenset({"access", "api_key", TOPIC_TOKEN})
SIGNED_IN_RATE = Rate(1200)

SIGNED_IN = Kinds("access", "api_key")
"""People, by session or by key; a topic's token is nobody."""

NOTIFER = Api(
    "notifer",
    kinds=KINDS,
    places=PLACES,
    anonymous_rate=Rate(300),
    signed_in_rate=SIGNED_IN_RATE,
    rate_headers=RateHeaders.UNIX,
)
PUBLISHING = Api(
    "notifer publishing",
    kinds=KINDS,
    places=PLACES,
    anonymous_rate=Rate(100),
    signed_in_rate=SIGNED_IN_RATE,
    rate_headers=RateHeaders.UNIX,
)
"""The same API with a rate of its own."""

Limit = Annotated[int, Meta(ge=1, le=100)]
Offset = Annotated[int, Meta(ge=0, le=2**62)]


class PageQuery(msgspec.Struct, frozen=True):
    """Which part of a list."""

    limit: Limit = 50
    offset: Offset = 0


class HistoryQuery(msgspec.Struct, frozen=True):
    """Which messages: `since` is a time, Unix seconds, a message id, a duration such as 10m, `all` or `latest`."""

    limit: Limit = 50
    since: str | None = None
    poll: Literal["0", "1"] | None = None

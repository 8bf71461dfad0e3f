"""The `[plugins.topics]` table."""

from __future__ import annotations

from typing import Annotated, Literal

import msgspec
from msgspec import Meta, field

from manor_topics.announcement import Announcement
from manor_topics.compat import CompatConfig
from manor_topics.push.config import PushConfig

LIVE = {"live": True}
"""Applied by a reload."""


class TopicsConfig(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Who may publish and read, and how much."""

    anonymous_publish: Annotated[
        bool,
        Meta(description="Whether anyone may publish to public topics; false wants a credential.", extra=LIVE),
    ] = True
    auto_create: Annotated[
        Literal["off", "authenticated", "anyone"],
        Meta(
            description="Whose publishing makes a topic that is missing: nobody's, that of people who are signed in (a "
            "private one of theirs), or anyone's (without a credential a public one, owned by the server).",
            extra=LIVE,
        ),
    ] = "off"
    listing: Annotated[
        Literal["public", "discoverable", "authenticated"],
        Meta(
            description="What GET /api/topics shows without a credential: all public topics, the discoverable ones, "
            "or nothing (401).",
            extra=LIVE,
        ),
    ] = "public"
    hide_private: Annotated[
        bool,
        Meta(description="Whether a private topic looks missing (404) to those who may not read it.", extra=LIVE),
    ] = False
    max_message_bytes: Annotated[
        int, Meta(ge=1, le=16_777_216, description="The longest message, in bytes of UTF-8; more is 413.")
    ] = 65_536
    ping_seconds: Annotated[
        float,
        Meta(ge=1, le=30, description="From one ping of a stream to the next; clients wait 40 seconds.", extra=LIVE),
    ] = 25
    replay_max: Annotated[
        int,
        Meta(
            ge=1,
            le=100_000,
            description="Messages repeated to a client whose last id nobody knows any more.",
            extra=LIVE,
        ),
    ] = 1000
    session_seconds: Annotated[
        int,
        Meta(
            ge=60,
            le=86_400,
            description="How long the session of a stream of many topics waits for its client, from when it is made "
            "and after each disconnect.",
            extra=LIVE,
        ),
    ] = 300
    announcements: Annotated[
        tuple[Announcement, ...],
        Meta(description="Plugins' events that are told on topics, each a table of its own; see below."),
    ] = ()
    push: PushConfig = field(default_factory=PushConfig)
    compat: CompatConfig = field(default_factory=CompatConfig)

"""The `[plugins.topics.compat]` table: which other servers' clients are understood."""

from __future__ import annotations

from typing import Annotated

import msgspec
from msgspec import Meta


class CompatConfig(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Which other servers' clients are understood."""

    ntfy: Annotated[
        bool,
        Meta(description="Whether ntfy's clients are: its headers, JSON at `/`, and all of it under `/ntfy`."),
    ] = True
    gotify: Annotated[
        bool, Meta(description="Whether Gotify's senders are: `POST /message` with a topic's token that writes.")
    ] = False
    ntfy_topic_names: Annotated[
        bool,
        Meta(
            description="Whether topics may have names that ntfy allows, too: with capitals, and of one or two "
            "characters, as UnifiedPush's apps make them."
        ),
    ] = False
    get_publish: Annotated[
        bool,
        Meta(description="Whether `GET /{topic}/publish`, `send` and `trigger` publish, for those with a credential."),
    ] = False
    basic_password: Annotated[
        bool,
        Meta(
            description="Whether a person's own password opens topics with Basic authentication; otherwise only an "
            "API key or a topic's token does."
        ),
    ] = False

"""What ntfy's routes have in common, and what its clients' credentials add to ours."""

from __future__ import annotations

from dataclasses import replace

from manor import Api, Basic, BearerAlone, Kinds
from manor_topics.basic import AUTH_PARAMETER, BASIC, EncodedAuthorization
from manor_topics.config import TopicsConfig
from manor_topics.http.api import KINDS, NOTIFER, PLACES, PUBLISHING, STREAM_PLACES
from manor_topics.ntfy.errors import NTFY_ERRORS

_BASIC_PLACES = (*PLACES[:-1], BearerAlone(), Basic())

CREDENTIAL = Kinds(*sorted(KINDS), BASIC)
"""Everybody who has one."""

QUERY_PLACES = (AUTH_PARAMETER, *STREAM_PLACES)

SUBSCRIBING = replace(
    NOTIFER,
    name="ntfy",
    dialect=NTFY_ERRORS,
    kinds=KINDS | {BASIC},
    places=_BASIC_PLACES,
    prefixes=("/ntfy", "/v1"),
)
SENDING = replace(PUBLISHING, name="ntfy publishing", dialect=NTFY_ERRORS, kinds=KINDS | {BASIC}, places=_BASIC_PLACES)


def with_basic(api: Api, config: TopicsConfig) -> Api:
    """An API of ours, which takes Basic authentication where ntfy's clients are understood."""
    return replace(api, kinds=api.kinds | {BASIC}, places=_BASIC_PLACES) if config.compat.ntfy else api


def more_places(config: TopicsConfig) -> tuple[EncodedAuthorization, ...]:
    """Where they may put a credential besides, on routes that publish and subscribe."""
    return (AUTH_PARAMETER,) if config.compat.ntfy else ()

"""The `[plugins.topics.push]` table."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any, Literal
from urllib.parse import urlsplit

import msgspec
from msgspec import Meta

Secret = Annotated[str, Meta(extra={"secret": True})]

EXPO = "https://exp.host/--/api/v2/push"

ProviderName = Literal["expo", "webpush"]


def _check_url(text: str) -> None:
    parts = urlsplit(text)
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise ValueError(f"expected an address as {EXPO}, got {text!r}")


def _check_subject(text: str) -> None:
    if text and not text.startswith(("mailto:", "https://")):
        raise ValueError(f"expected mailto:ADDRESS or an https address, got {text!r}")


def _check(function: Any) -> Meta:
    return Meta(extra={"check": function})


class PushConfig(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Which push services are asked, and how."""

    providers: Annotated[
        tuple[ProviderName, ...],
        Meta(
            description="What notifications go through: `expo` for apps, `webpush` for browsers, both, or nothing; "
            "what is not named here is never said to have been sent."
        ),
    ] = ()
    ttl_seconds: Annotated[
        int,
        Meta(
            ge=60,
            le=2_419_200,
            description="How old a message may be and still be pushed; one that expires before that is pushed until "
            "then.",
        ),
    ] = 86_400
    expo_url: Annotated[
        str, _check(_check_url), Meta(description="Where Expo's push API is; another one is a relay of your own.")
    ] = EXPO
    expo_access_token: Annotated[
        Secret, Meta(description="Holds the access token of the Expo account, where it asks for one.")
    ] = ""
    expo_channel: Annotated[
        str,
        Meta(
            max_length=100,
            description="The notification channel of the Android app; empty: the one that the app falls back to.",
        ),
    ] = "default"
    vapid_key_file: Annotated[
        Path | None,
        Meta(
            description="The key (PEM, P-256) that push services know this server by; empty: `vapid.pem` in the "
            "plugin's data directory, made at the first start."
        ),
    ] = None
    vapid_subject: Annotated[
        str,
        _check(_check_subject),
        Meta(
            description="Whom push services may turn to: `mailto:` and an address, or an https address; empty: "
            "`public_url`, if that is https."
        ),
    ] = ""
    web_origins: Annotated[
        tuple[Annotated[str, _check(_check_url)], ...],
        Meta(
            description="Push services of your own, as `http://10.0.0.5:8080`: browsers' subscriptions may point to "
            "these although they are private, and without TLS."
        ),
    ] = ()

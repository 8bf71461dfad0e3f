"""The `[plugins.auth]` table."""

from __future__ import annotations

from typing import Annotated

import msgspec
from msgspec import Meta

from manor_auth.keys import Algorithm
from manor_auth.oidc.config import ProviderConfig, check_names, check_target
from manor_auth.oidc.delivery import Way

LIVE = {"live": True}
"""Applied by a reload."""


class AuthConfig(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """How long people stay signed in, and what strangers are told."""

    access_minutes: Annotated[
        int, Meta(ge=1, le=1440, description="How long an access token opens the APIs.", extra=LIVE)
    ] = 30
    refresh_days: Annotated[
        int,
        Meta(ge=1, le=365, description="How long a refresh token may lie unused; each use begins anew.", extra=LIVE),
    ] = 7
    session_days: Annotated[
        int, Meta(ge=1, le=3650, description="After how long people sign in again, however busy they are.", extra=LIVE)
    ] = 90
    refresh_grace_seconds: Annotated[
        int,
        Meta(
            ge=0,
            le=60,
            description="How long a spent refresh token is taken again, for front ends with several tabs; 0: never, "
            "and using it twice ends the session.",
            extra=LIVE,
        ),
    ] = 0
    rotate_days: Annotated[
        int,
        Meta(
            ge=0,
            le=3650,
            description="The age at which the key that signs tokens is replaced; 0: only by command.",
            extra=LIVE,
        ),
    ] = 90
    signing: Annotated[
        Algorithm,
        Meta(
            description="What new keys sign tokens with. When it is changed the key is replaced within the hour, and "
            "the one before it verifies until its last token has expired.",
            extra=LIVE,
        ),
    ] = "ES256"
    reveal_existing_email: Annotated[
        bool,
        Meta(
            description="Whether signing up with somebody's address is told to be that (409); otherwise only the "
            "owner hears of it, by mail.",
            extra=LIVE,
        ),
    ] = False
    admin_contact: Annotated[
        str,
        Meta(
            max_length=200,
            description="Where people who have no password ask for the deletion of their account: an address, or a "
            "sentence.",
            extra=LIVE,
        ),
    ] = ""
    token_delivery: Annotated[
        Way,
        Meta(
            description="How tokens reach a front end after a sign-in with a provider: behind `#`, as a code for "
            "`POST /auth/oauth/exchange`, or behind `?`, where logs see them.",
            extra=LIVE,
        ),
    ] = "fragment"  # noqa: S105 - a word, no secret
    allowed_redirects: Annotated[
        tuple[Annotated[str, Meta(extra={"check": check_target})], ...],
        Meta(
            description="Where else they may be taken (`?redirect_uri=`): whole addresses, also of an app's own "
            'scheme, as `"org.example.app:/callback"`.',
            extra=LIVE,
        ),
    ] = ()
    oidc: Annotated[
        dict[str, ProviderConfig],
        Meta(description="The providers that people may sign in with, each a table of its own; see below."),
    ] = msgspec.field(default_factory=dict)

    def __post_init__(self) -> None:
        """See that providers' names fit into paths."""
        check_names(self.oidc)

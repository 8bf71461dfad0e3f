"""Who one is here, and what one agreed to."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated

import msgspec
from msgspec import Meta

from manor import Consent, Kinds, Request, Route
from manor_auth.http.api import (
    AUTH,
    BODY_LIMIT,
    SIGNED_IN,
    SignedInUser,
    check_accepted,
    check_printable,
    person,
    shown,
)
from manor_auth.profile import Profile


class Me(SignedInUser, frozen=True, kw_only=True):
    """The person behind a credential."""

    avatar_url: str | None
    is_active: bool
    last_login: datetime | None
    oauth_provider: str | None
    terms_accepted_at: datetime | None


class AcceptTerms(msgspec.Struct, frozen=True):
    """Says yes to the terms as they are now; anything else but true is 422."""

    accepted: bool
    consent_method: Annotated[str, Meta(min_length=1, max_length=50)]


class TermsAccepted(msgspec.Struct, frozen=True):
    """Which terms, and when."""

    message: str
    terms_accepted_at: datetime
    document_version: str


class Consents(msgspec.Struct, frozen=True):
    """All that somebody agreed to, the newest first."""

    consents: list[Consent]
    total: int


class MeHandlers:
    """One method for each operation."""

    def __init__(self, profile: Profile) -> None:
        self._profile = profile

    async def show(self, request: Request) -> Me:
        """Who one is."""
        known = await self._profile.show(person(request))
        user = known.user
        return Me(
            **msgspec.structs.asdict(shown(user)),
            avatar_url=user.avatar_url,
            is_active=user.is_active,
            last_login=user.last_login,
            oauth_provider=known.provider,
            terms_accepted_at=user.terms_accepted_at,
        )

    async def accept_terms(self, request: Request[AcceptTerms]) -> TermsAccepted:
        """Accept the terms as they are now."""
        check_accepted("accepted", request.body.accepted)
        check_printable("consent_method", request.body.consent_method)
        consent = await self._profile.accept_terms(person(request), request.body.consent_method)
        return TermsAccepted("Terms accepted", consent.accepted_at, consent.document_version)

    async def consents(self, request: Request) -> Consents:
        """What one agreed to, the newest first."""
        consents = await self._profile.consents(person(request))
        return Consents(consents, len(consents))


def me_routes(handlers: MeHandlers) -> list[Route]:
    """Oneself, the terms, the consents."""
    return [
        Route("GET", "/auth/me", handlers.show, api=AUTH, access=Kinds("access", "api_key"), returns=Me),
        Route(
            "POST",
            "/auth/accept-terms",
            handlers.accept_terms,
            api=AUTH,
            access=SIGNED_IN,
            body=AcceptTerms,
            body_limit=BODY_LIMIT,
            returns=TermsAccepted,
        ),
        Route("GET", "/auth/consent-history", handlers.consents, api=AUTH, access=SIGNED_IN, returns=Consents),
    ]

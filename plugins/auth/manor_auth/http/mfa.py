"""The second factor: enrolling, and going back."""

from __future__ import annotations

from typing import Annotated

import msgspec
from msgspec import Meta

from manor import Request, Route
from manor_auth.http.api import AUTH, BODY_LIMIT, SIGNED_IN, person
from manor_auth.second_factor import SecondFactor


class Generated(msgspec.Struct, frozen=True):
    """A key for an authenticator app: in base32 for typing, and as `otpauth://` for a QR code."""

    secret: str
    otpauth_url: str


class Code(msgspec.Struct, frozen=True):
    """What the app shows now; to disable it a recovery code will do."""

    code: Annotated[str, Meta(min_length=1, max_length=64)]


class Activated(msgspec.Struct, frozen=True):
    """For when the app is lost: each works once, and none is shown again."""

    recovery_codes: list[str]


class MfaHandlers:
    """One method for each operation."""

    def __init__(self, second_factor: SecondFactor) -> None:
        self._second_factor = second_factor

    async def generate(self, request: Request) -> Generated:
        """Make a key for one's app; nothing asks for codes before it is activated."""
        setup = await self._second_factor.begin(person(request))
        return Generated(setup.secret, setup.uri)

    async def activate(self, request: Request[Code]) -> Activated:
        """Have sign-ins ask for a code from now on."""
        return Activated(await self._second_factor.activate(person(request), request.body.code))

    async def disable(self, request: Request[Code]) -> None:
        """Have sign-ins ask for no code any more."""
        await self._second_factor.disable(person(request), request.body.code, address=request.head.address)


def mfa_routes(handlers: MfaHandlers) -> list[Route]:
    """Generate, activate, disable."""
    return [
        Route(
            "POST",
            "/auth/mfa/generate",
            handlers.generate,
            api=AUTH,
            access=SIGNED_IN,
            returns=Generated,
            errors=(409,),
        ),
        Route(
            "POST",
            "/auth/mfa/activate",
            handlers.activate,
            api=AUTH,
            access=SIGNED_IN,
            body=Code,
            body_limit=BODY_LIMIT,
            returns=Activated,
            errors=(400, 409),
        ),
        Route(
            "POST",
            "/auth/mfa/disable",
            handlers.disable,
            api=AUTH,
            access=SIGNED_IN,
            body=Code,
            body_limit=BODY_LIMIT,
            status=204,
            errors=(400,),
        ),
    ]

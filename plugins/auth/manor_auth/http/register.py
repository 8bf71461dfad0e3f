"""Signing up, and the link that proves an address."""

from __future__ import annotations

import msgspec

from manor import PUBLIC, Reply, Request, Route
from manor_auth.domain import Places
from manor_auth.http.api import BODY_LIMIT, SIGN_IN, Email, Password, Said, check_accepted
from manor_auth.registering import Registering, Wanted

_MESSAGE = "Registration successful. Please check your email to verify your account."


class Register(msgspec.Struct, frozen=True):
    """Who wants to join; `terms_accepted` has to be true."""

    email: Email
    username: str
    password: Password
    terms_accepted: bool
    invite_token: str | None = None


class Registered(msgspec.Struct, frozen=True):
    """The same whether the address was new or not."""

    message: str
    email: str
    username: str


class VerifyQuery(msgspec.Struct, frozen=True):
    """The token that the mail brought."""

    token: str = ""


class Resend(msgspec.Struct, frozen=True):
    """Where the link is wanted once more."""

    email: Email


class RegisterHandlers:
    """One method for each operation."""

    def __init__(self, registering: Registering, places: Places) -> None:
        self._registering = registering
        self._places = places

    async def register(self, request: Request[Register]) -> Registered:
        """Sign up; a mail brings the link that opens the account."""
        body = request.body
        check_accepted("terms_accepted", body.terms_accepted)
        wanted = Wanted(
            email=body.email, username=body.username, password=body.password, invite_token=body.invite_token
        )
        await self._registering.register(wanted, address=request.head.address)
        return Registered(_MESSAGE, body.email, body.username)

    async def verify(self, request: Request[None, VerifyQuery]) -> Reply:
        """Take the link of the mail, and lead the browser on."""
        trouble = await self._registering.verify(request.query.token) if request.query.token else "invalid"
        return Reply(b"", 302, "", {"Location": self._places.verified(trouble)})

    async def resend(self, request: Request[Resend]) -> Said:
        """Send the link once more; the answer is the same whatever the address."""
        await self._registering.ask_again(request.body.email)
        return Said("If this address waits for its verification, a new link is on its way.")


def register_routes(handlers: RegisterHandlers) -> list[Route]:
    """Register, verify, resend."""
    return [
        Route(
            "POST",
            "/auth/register",
            handlers.register,
            api=SIGN_IN,
            access=PUBLIC,
            body=Register,
            body_limit=BODY_LIMIT,
            returns=Registered,
            status=201,
            errors=(403, 409, 503),
        ),
        Route(
            "GET",
            "/auth/verify-email",
            handlers.verify,
            api=SIGN_IN,
            access=PUBLIC,
            query=VerifyQuery,
            returns=Reply,
            status=302,
        ),
        Route(
            "POST",
            "/auth/resend-verification",
            handlers.resend,
            api=SIGN_IN,
            access=PUBLIC,
            body=Resend,
            body_limit=BODY_LIMIT,
            returns=Said,
        ),
    ]

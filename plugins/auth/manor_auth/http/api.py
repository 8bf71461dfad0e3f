"""What the operations have in common: where credentials stand, how much an address may ask, what answers say."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any
from uuid import UUID

import msgspec
from msgspec import Meta

from manor import (
    Access,
    Api,
    Bearer,
    FieldProblem,
    Header,
    Kinds,
    Principal,
    Rate,
    RateHeaders,
    Request,
    Unauthorized,
    Unprocessable,
    User,
)
from manor_auth.sessions import Visitor

NO_STORE = {"Cache-Control": "no-store"}

PLACES = (Header("X-API-Key"), Bearer())

AUTH = Api(
    "auth",
    kinds=frozenset({"access", "api_key"}),
    places=PLACES,
    anonymous_rate=Rate(120),
    signed_in_rate=Rate(300),
    rate_headers=RateHeaders.UNIX,
    headers=NO_STORE,
    prefixes=("/auth",),
)
"""For people who have signed in."""

SIGN_IN = Api("auth sign-in", places=(), anonymous_rate=Rate(60), rate_headers=RateHeaders.UNIX, headers=NO_STORE)
"""For everybody else. Credentials are not looked at: clients refresh with the one that has just expired in place."""

SIGNED_IN = Kinds("access")
"""Only somebody who has signed in: no API key, whatever its scopes."""

BODY_LIMIT = 16_384
"""Bytes of a body: a password of 1,024 characters needs 12,288 where each is written as a pair of escapes."""

TWO_PASSWORDS = 2 * BODY_LIMIT

Email = Annotated[str, Meta(max_length=254)]
Password = Annotated[str, Meta(max_length=4096, description="8 to 1024 characters; composed forms are the same.")]
Token = Annotated[str, Meta(max_length=4096)]


class Said(msgspec.Struct, frozen=True):
    """An answer that says one sentence."""

    message: str


class SignedInUser(msgspec.Struct, frozen=True, kw_only=True):
    """The person, as a sign-in shows them."""

    id: UUID
    email: str | None
    username: str
    subscription_tier: str
    is_verified: bool
    created_at: datetime


def shown(user: User) -> SignedInUser:
    """A person for their own client."""
    return SignedInUser(
        id=user.id,
        email=user.email,
        username=user.username,
        subscription_tier=user.tier,
        is_verified=user.is_verified,
        created_at=user.created_at,
    )


def visitor(request: Request[Any, Any]) -> Visitor:
    """Where a request comes from."""
    return Visitor(request.head.address, request.headers.get("user-agent") or "")


def person(request: Request[Any, Any]) -> UUID:
    """Who asks, on routes that only people reach: the one who has signed in, if a key of somebody else came along.

    Raises:
        Unauthorized: Nobody does.
    """
    for principal in request.principals:
        if SIGNED_IN.allows(principal) and principal.user_id is not None:
            return principal.user_id
    if request.user_id is None:
        raise Unauthorized("This credential has no person behind it")
    return request.user_id


def actor(request: Request[Any, Any], access: Access) -> Principal:
    """The credential that opened a route: of several the session, for what comes along with it may be worth less.

    Raises:
        Unauthorized: It has no person behind it.
    """
    able = [each for each in request.principals if access.allows(each) and each.user_id is not None]
    if not able:
        raise Unauthorized("This credential has no person behind it")
    return next((each for each in able if SIGNED_IN.allows(each)), able[0])


def session(request: Request[Any, Any]) -> UUID:
    """The session of the access token.

    Raises:
        Unauthorized: There is none.
    """
    for principal in request.principals:
        if principal.kind == "access" and principal.session_id is not None:
            return principal.session_id
    raise Unauthorized("This credential has no session behind it")


def check_printable(field: str, text: str) -> None:
    """See that a text can be shown in one line, in a terminal too.

    Raises:
        Unprocessable: It has characters that cannot be seen, or nothing else.
    """
    if not text.isprintable() or not text.strip():
        message = "expected characters that can be seen"
        raise Unprocessable(f"{field}: {message}", errors=[FieldProblem(field, message)])


def check_accepted(field: str, value: bool) -> None:
    """See that somebody agreed.

    Raises:
        Unprocessable: They did not.
    """
    if not value:
        message = "expected true: it goes no further without"
        raise Unprocessable(f"{field}: {message}", errors=[FieldProblem(field, message)])

"""Signing in and out, and the sessions in between."""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

import msgspec

from manor import PUBLIC, NotFound, Request, Route, parse_id
from manor_auth.http.api import (
    AUTH,
    BODY_LIMIT,
    SIGN_IN,
    SIGNED_IN,
    Email,
    Password,
    SignedInUser,
    Token,
    person,
    session,
    shown,
    visitor,
)
from manor_auth.sessions import Pair, Sessions
from manor_auth.signing_in import SigningIn


class Login(msgspec.Struct, frozen=True):
    """`email` may hold the username. `code` is the second factor's, for those who have one."""

    email: Email
    password: Password
    code: str | None = None


class SignedIn(Pair, frozen=True, kw_only=True):
    """The tokens, and whose they are."""

    user: SignedInUser


class Refresh(msgspec.Struct, frozen=True):
    """The refresh token that is spent for the next pair."""

    refresh_token: Token


class SessionShown(msgspec.Struct, frozen=True, kw_only=True):
    """A sign-in of one's own; `current` is the one that asks."""

    id: UUID
    created_at: datetime
    last_used_at: datetime
    ip: str
    user_agent: str
    current: bool


class SignInHandlers:
    """One method for each operation."""

    def __init__(self, signing_in: SigningIn, sessions: Sessions) -> None:
        self._signing_in = signing_in
        self._sessions = sessions

    async def login(self, request: Request[Login]) -> SignedIn:
        """Sign in with e-mail or username and password."""
        body = request.body
        user, pair = await self._signing_in.sign_in(body.email, body.password, visitor(request), code=body.code)
        return SignedIn(**msgspec.structs.asdict(pair), user=shown(user))

    async def refresh(self, request: Request[Refresh]) -> Pair:
        """The next pair of tokens; the one sent is spent by it."""
        return await self._sessions.refresh(request.body.refresh_token)

    async def logout(self, request: Request) -> None:
        """End this session, with all its tokens."""
        await self._sessions.end(person(request), session(request))

    async def list_sessions(self, request: Request) -> list[SessionShown]:
        """Where somebody is signed in, the newest first."""
        current = session(request)
        return [
            SessionShown(
                id=each.id,
                created_at=each.created_at,
                last_used_at=each.last_used_at,
                ip=each.ip,
                user_agent=each.user_agent,
                current=each.id == current,
            )
            for each in await self._sessions.list(person(request))
        ]

    async def end_session(self, request: Request) -> None:
        """End one of one's own sessions."""
        session_id = parse_id(request.params["id"])
        if session_id is None:
            raise NotFound("There is no such session")
        await self._sessions.end(person(request), session_id)


def sign_in_routes(handlers: SignInHandlers) -> list[Route]:
    """Login, refresh, logout and the sessions."""
    return [
        Route(
            "POST",
            "/auth/login",
            handlers.login,
            api=SIGN_IN,
            access=PUBLIC,
            body=Login,
            body_limit=BODY_LIMIT,
            returns=SignedIn,
            errors=(401, 403, 503),
        ),
        Route(
            "POST",
            "/auth/refresh",
            handlers.refresh,
            api=SIGN_IN,
            access=PUBLIC,
            body=Refresh,
            body_limit=BODY_LIMIT,
            returns=Pair,
            errors=(401,),
        ),
        Route("POST", "/auth/logout", handlers.logout, api=AUTH, access=SIGNED_IN, status=204),
        Route(
            "GET",
            "/auth/sessions",
            handlers.list_sessions,
            api=AUTH,
            access=SIGNED_IN,
            returns=list[SessionShown],
        ),
        Route("DELETE", "/auth/sessions/{id}", handlers.end_session, api=AUTH, access=SIGNED_IN, status=204),
    ]

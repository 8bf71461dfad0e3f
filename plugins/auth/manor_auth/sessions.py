"""Sessions and the pairs of tokens that come from them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

import msgspec

from manor import (
    Clock,
    Credential,
    NewCredential,
    NotFound,
    PluginContext,
    Presented,
    Principal,
    Session,
    Transaction,
    Unauthorized,
    end_session,
    end_sessions,
    find_by_secret,
    find_session,
    find_user,
    issue,
    list_sessions,
    new_secret,
    open_session,
    revoke,
    touch_session,
)
from manor_auth.config import AuthConfig
from manor_auth.tokens import ACCESS, REFRESH, Tokens

SCOPES = ("*",)
"""What somebody who has signed in may do: all that they may."""


@dataclass(frozen=True)
class Visitor:
    """Where somebody comes from, for their list of sessions and the audit log."""

    address: str
    user_agent: str = ""


@dataclass(frozen=True)
class Opened:
    """A session that lets its person in, and the secret of the refresh token that goes on with it."""

    user_id: UUID
    session_id: UUID
    secret: str
    expires_at: datetime


class Pair(msgspec.Struct, frozen=True, kw_only=True):
    """What a sign-in and a refresh give; the lives are in seconds."""

    access_token: str
    refresh_token: str
    token_type: str = "bearer"  # noqa: S105 - the word that the API has there
    expires_in: int
    refresh_expires_in: int


class Sessions:
    """Begins sessions, goes on with them, lists and ends them.

    Args:
        context: The plugin's.
        tokens: Signs and reads.
    """

    def __init__(self, context: PluginContext[AuthConfig], tokens: Tokens) -> None:
        self._storage = context.storage
        self._clock: Clock = context.clock
        self._identity = context.identity
        self._audit = context.audit
        self._tokens = tokens
        self._config: Callable[[], AuthConfig] = lambda: context.config

    # --- Beginning and going on --------------------------------------------------------------------------------

    def open(self, transaction: Transaction, user_id: UUID, visitor: Visitor, *, method: str) -> Opened:
        """Begin a session for somebody who has shown who they are.

        Args:
            transaction: A writing one.
            user_id: Who.
            visitor: From where.
            method: How they showed it, for the audit log: `password`, or a provider's name.
        """
        config = self._config()
        session = open_session(
            transaction,
            user_id=user_id,
            kind="access",
            ip=visitor.address,
            user_agent=visitor.user_agent,
            life=timedelta(days=config.refresh_days),
            absolute=timedelta(days=config.session_days),
        )
        detail = {"method": method, "address": visitor.address, "session": str(session.id)}
        self._audit.record(transaction, "auth.signed_in", actor=str(user_id), target=str(user_id), detail=detail)
        return self._issue(transaction, session)

    def pair(self, opened: Opened) -> Pair:
        """The tokens of a session; outside of transactions, for signing takes its time."""
        now = self._clock.now()
        expires_at = min(now + timedelta(minutes=self._config().access_minutes), opened.expires_at)
        user_id, session_id = opened.user_id, opened.session_id
        access = self._tokens.issue(
            ACCESS, user_id=user_id, session_id=session_id, expires_at=expires_at, scopes=SCOPES
        )
        refresh = self._tokens.issue(
            REFRESH, user_id=user_id, session_id=session_id, expires_at=opened.expires_at, jti=opened.secret
        )
        return Pair(
            access_token=access,
            refresh_token=refresh,
            # Rounded: a moment has passed since the session was stored.
            expires_in=round((expires_at - now).total_seconds()),
            refresh_expires_in=round((opened.expires_at - now).total_seconds()),
        )

    async def refresh(self, token: str) -> Pair:
        """A new pair for a refresh token, which is spent by that.

        Raises:
            Unauthorized: It is not one, its time or its session is over, or it was spent before; in that last case
                its session is over now too, because somebody has a copy.
        """
        claims = self._tokens.read(REFRESH, token)
        opened = None
        if claims is not None:
            session_id, secret = claims.sid, claims.jti
            opened = await self._storage.write(lambda transaction: self._go_on(transaction, session_id, secret))
        if opened is None:
            raise Unauthorized("The refresh token is unknown, expired or spent; sign in again")
        return self.pair(opened)

    def _go_on(self, transaction: Transaction, session_id: UUID, secret: str) -> Opened | None:
        credential = find_by_secret(transaction, secret, kind="refresh")
        if credential is None or credential.session_id != session_id:
            return None
        session = find_session(transaction, session_id)
        if session is None or not session.is_alive(transaction.now):
            return None
        user = find_user(transaction, user_id=session.user_id)
        if user is None or not user.is_active:
            return None
        if credential.revoked_at is not None and not self._is_within_grace(credential, transaction.now):
            end_session(transaction, session_id)
            detail = {"session": str(session_id)}
            self._audit.record(
                transaction, "auth.refresh_token_reused", actor=str(user.id), target=str(user.id), detail=detail
            )
            return None
        if credential.expires_at is not None and credential.expires_at <= transaction.now:
            return None
        revoke(transaction, credential.id)
        touched = touch_session(transaction, session_id)
        return None if touched is None else self._issue(transaction, touched)

    def _is_within_grace(self, credential: Credential, now: datetime) -> bool:
        grace = timedelta(seconds=self._config().refresh_grace_seconds)
        return credential.revoked_at is not None and now < credential.revoked_at + grace

    def _issue(self, transaction: Transaction, session: Session) -> Opened:
        secret = new_secret()
        new = NewCredential(
            kind="refresh", user_id=session.user_id, session_id=session.id, expires_at=session.expires_at
        )
        issue(transaction, new, secret)
        return Opened(session.user_id, session.id, secret, session.expires_at)

    # --- Access tokens -----------------------------------------------------------------------------------------

    async def authenticate(self, presented: Presented) -> Principal | None:
        """Who an access token stands for, as long as its session lives."""
        claims = self._tokens.read(ACCESS, presented.secret)
        if claims is None:
            return None
        principal = await self._identity.session_principal(claims.sid, "access", tuple(claims.scopes))
        return principal if principal is not None and principal.user_id == claims.sub else None

    # --- The list ----------------------------------------------------------------------------------------------

    async def list(self, user_id: UUID) -> list[Session]:
        """Someone's sessions that are alive, the newest first."""
        return await self._storage.read(lambda transaction: list_sessions(transaction, user_id))

    async def end(self, user_id: UUID, session_id: UUID) -> None:
        """End one of someone's sessions, with every token of it.

        Raises:
            NotFound: They have none of that id, or it is over.
        """

        def work(transaction: Transaction) -> bool:
            session = find_session(transaction, session_id)
            if session is None or session.user_id != user_id or not session.is_alive(transaction.now):
                return False
            self._audit.record(
                transaction, "auth.session_ended", actor=str(user_id), target=str(user_id),
                detail={"session": str(session_id)},
            )  # fmt: skip
            return end_session(transaction, session_id)

        if not await self._storage.write(work):
            raise NotFound("There is no such session")

    async def end_others(self, user_id: UUID, session_id: UUID) -> int:
        """End all of someone's sessions but one; gives how many ended."""

        def work(transaction: Transaction) -> int:
            ended = end_sessions(transaction, user_id, but=session_id)
            detail = {"sessions": ended}
            self._audit.record(
                transaction, "auth.other_sessions_ended", actor=str(user_id), target=str(user_id), detail=detail
            )
            return ended

        return await self._storage.write(work)

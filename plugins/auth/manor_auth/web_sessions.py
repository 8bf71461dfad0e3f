"""Sessions of browsers: a cookie that opens pages, and never an operation of an API."""

from __future__ import annotations

import re
from datetime import timedelta
from typing import Any
from uuid import UUID

from manor import (
    Cookie,
    Forbidden,
    Head,
    NewCredential,
    PluginContext,
    Presented,
    Principal,
    Request,
    Transaction,
    end_session,
    find_by_secret,
    find_user,
    issue,
    new_secret,
    note_login,
    open_session,
)
from manor_auth.config import AuthConfig

KIND = "web_session"
SESSION_KIND = "web"
COOKIE = "manor_session"

_FORM = re.compile(r"[A-Za-z0-9_-]{43}")


class WebSessions:
    """Signs browsers in and out.

    Args:
        context: The plugin's.
    """

    def __init__(self, context: PluginContext[AuthConfig]) -> None:
        self._context = context
        self._storage = context.storage
        self._audit = context.audit

    async def open(self, user_id: UUID, head: Head, *, method: str = "password") -> str:
        """Begin a session for somebody who has shown who they are; the browser's session until now, if any, ends.

        Args:
            user_id: Who.
            head: The request that showed it.
            method: How, for the audit log: `password`, or a provider's name.

        Returns:
            The value of a `Set-Cookie` header.

        Raises:
            Forbidden: The account is disabled, or gone.
        """
        secret = new_secret()

        def work(transaction: Transaction) -> None:
            user = find_user(transaction, user_id=user_id)
            if user is None or not user.is_active:
                raise Forbidden("This account is disabled")
            self.begin(transaction, user_id, head, secret, method=method)

        await self._storage.write(work)
        return self.cookie(secret)

    def begin(self, transaction: Transaction, user_id: UUID, head: Head, secret: str, *, method: str) -> None:
        """The same inside a transaction that makes the person, too; `cookie(secret)` goes out once it is committed.

        Args:
            transaction: A writing one.
            user_id: Who, active.
            head: The request that showed it.
            secret: What `new_secret` made.
            method: As for `open`.
        """
        config = self._context.config
        _end_older(transaction, head)
        note_login(transaction, user_id)
        session = open_session(
            transaction,
            user_id=user_id,
            kind=SESSION_KIND,
            ip=head.address,
            user_agent=head.headers.get("user-agent") or "",
            life=timedelta(days=config.refresh_days),
            absolute=timedelta(days=config.session_days),
        )
        # No end of its own: it lives and dies with the session, whose end is put off by use.
        issue(transaction, NewCredential(kind=KIND, user_id=user_id, session_id=session.id), secret)
        detail = {"method": method, "address": head.address, "session": str(session.id)}
        self._audit.record(transaction, "auth.signed_in", actor=str(user_id), target=str(user_id), detail=detail)

    async def close(self, request: Request[Any, Any]) -> str:
        """End the browser's session, with every cookie of it.

        Returns:
            The value of a `Set-Cookie` header that has the browser forget it.
        """
        ended = [each for each in request.principals if each.kind == KIND]

        def work(transaction: Transaction) -> None:
            for principal in ended:
                if principal.session_id is not None and end_session(transaction, principal.session_id):
                    who, detail = str(principal.user_id), {"session": str(principal.session_id)}
                    self._audit.record(transaction, "auth.session_ended", actor=who, target=who, detail=detail)

        if ended:
            await self._storage.write(work)
        return self._set_cookie("", 0)

    async def authenticate(self, presented: Presented) -> Principal | None:
        """Who a cookie stands for, as long as its session lives. Counts as a use."""
        return await self._context.identity.authenticate(KIND, presented.secret)

    def cookie(self, secret: str) -> str:
        """What has the browser keep a secret. When the session is over is the server's to say."""
        return self._set_cookie(secret, int(timedelta(days=self._context.config.session_days).total_seconds()))

    def _set_cookie(self, value: str, seconds: int) -> str:
        prefix, secure = ("__Host-", "; Secure") if self._context.public_url.startswith("https:") else ("", "")
        return f"{prefix}{COOKIE}={value}; Path=/; Max-Age={seconds}; HttpOnly; SameSite=Lax{secure}"


def looks_like_web_session(secret: str) -> bool:
    """Whether this is written as a cookie's secret is; cheap."""
    return _FORM.fullmatch(secret) is not None


def _end_older(transaction: Transaction, head: Head) -> None:
    secret = Cookie(COOKIE).find(head)
    older = find_by_secret(transaction, secret, kind=KIND) if secret else None
    if older is not None and older.session_id is not None:
        end_session(transaction, older.session_id)

"""Whether somebody has just shown that they are who they are: rights over the host ask for more than a cookie."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from manor import Forbidden, PluginContext, Request, Unauthorized, check_own_password, find_session
from manor_hostservices.config import HostConfig

FRESH = timedelta(minutes=15)
"""How long a sign-in, or a password that was typed again, opens the host."""


class Freshness:
    """Knows which sessions began just now, or had their password typed again. A restart forgets the latter.

    Args:
        context: The plugin's own.
    """

    def __init__(self, context: PluginContext[HostConfig]) -> None:
        self._storage = context.storage
        self._clock = context.clock
        self._identity = context.identity
        self._proven: dict[UUID, datetime] = {}

    async def holds(self, request: Request[Any, Any]) -> bool:
        """Whether a request's session is fresh."""
        return await self.seconds_left(request) > 0

    async def seconds_left(self, request: Request[Any, Any]) -> float:
        """How long a request's session is still fresh; 0 when it is not."""
        session_id = session_of(request)
        if session_id is None:
            return 0.0
        now = self._clock.now()
        ends = [self._proven.get(session_id, now)]
        if ends[0] <= now:
            session = await self._storage.read(lambda transaction: find_session(transaction, session_id))
            ends += [] if session is None else [session.created_at + FRESH]
        return max((max(ends) - now).total_seconds(), 0.0)

    async def prove(self, request: Request[Any, Any], password: str) -> None:
        """Have a session be fresh again.

        Raises:
            Forbidden: The password is wrong, or there is none.
            TooManyRequests: Too many were wrong.
            Unavailable: Too many passwords are being checked.
        """
        session_id, user_id = session_of(request), request.user_id
        if session_id is None or user_id is None:
            raise Unauthorized("Sign in first")
        try:
            await check_own_password(self._identity, self._storage, user_id, password, address=request.head.address)
        except Unauthorized as error:
            raise Forbidden("The password is wrong") from error
        now = self._clock.now()
        self._proven = {session: until for session, until in self._proven.items() if until > now}
        self._proven[session_id] = now + FRESH


def session_of(request: Request[Any, Any]) -> UUID | None:
    """The session behind a request, if there is one."""
    return None if request.person is None else request.person.session_id

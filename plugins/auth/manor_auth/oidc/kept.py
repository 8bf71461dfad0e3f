"""Documents of a provider, kept for a while, and asked for once however many wait for them."""

from __future__ import annotations

import math
from collections.abc import Awaitable, Callable
from typing import Generic, TypeVar

import trio

from manor import ManorError

KEEP_SECONDS = 600.0
AGAIN_SECONDS = 10.0
"""A document that was asked for again before its time is not asked for once more within these: whoever sends tokens of
made-up keys does not have us ask for each."""

T = TypeVar("T")


class ProviderTrouble(ManorError):
    """The provider cannot be reached, or answers what cannot be used; the text is for the log."""


class Kept(Generic[T]):
    """A document that is fetched when it is wanted.

    Args:
        fetch: Gets it; raises `ProviderTrouble`.
    """

    def __init__(self, fetch: Callable[[], Awaitable[T]]) -> None:
        self._fetch = fetch
        self._lock = trio.Lock()
        self._document: T | None = None
        self._fetched_at = -math.inf
        self._again_at = -math.inf
        self._failure = ""
        self._failed_at = -math.inf

    async def get(self) -> T:
        """The document, at most ten minutes old.

        Raises:
            ProviderTrouble: It is not to be had.
        """
        asked_at = trio.current_time()
        async with self._lock:
            if self._document is not None and trio.current_time() < self._fetched_at + KEEP_SECONDS:
                return self._document
            if self._failed_at >= asked_at:
                # Somebody waited for this in vain while we stood behind them: the next one need not.
                raise ProviderTrouble(self._failure)
            return await self._renew()

    async def again(self) -> T:
        """The document as it is now, unless that was asked a moment ago.

        Raises:
            ProviderTrouble: It is not to be had.
        """
        asked_at = trio.current_time()
        async with self._lock:
            now = trio.current_time()
            if self._document is not None and (self._fetched_at > asked_at or now < self._again_at + AGAIN_SECONDS):
                return self._document
            self._again_at = now
            return await self._renew()

    async def _renew(self) -> T:
        try:
            document = await self._fetch()
        except ProviderTrouble as trouble:
            self._failure, self._failed_at = str(trouble), trio.current_time()
            raise
        self._document, self._fetched_at = document, trio.current_time()
        return document

"""Ends the streams of whoever may not listen any more."""

from __future__ import annotations

from collections import OrderedDict
from typing import Any
from uuid import UUID

import trio

from manor.auth import Principal
from manor.events import Delivery, Subscription
from manor.identity.events import CredentialRevoked, SessionEnded, UserChanged, UserErased
from manor.live import LiveService
from manor.routing import Closing, Outlet

REVOKED = Closing(4401, "credential revoked")

LOOK_AGAIN_SECONDS = 5.0
REMEMBERED_SECONDS = 65.0
"""Longer than a handler has: what was admitted before a revocation has attached its stream by then, or never will."""

MOST_REMEMBERED = 10_000


class Revocation:
    """Closes outlets whose credential was revoked, whose session ended, or whose person left.

    A request that was admitted just before may attach its stream just after, so those who went are looked for again
    for a minute.

    Args:
        live: Where the outlets are.
    """

    def __init__(self, live: LiveService) -> None:
        self._live = live
        self._gone: OrderedDict[UUID, float] = OrderedDict()
        self._is_any = trio.Event()

    def subscriptions(self) -> list[Subscription[Any]]:
        """What makes it close."""
        return [
            Subscription(CredentialRevoked.name, CredentialRevoked, self._revoked, delivery=Delivery.INLINE),
            Subscription(SessionEnded.name, SessionEnded, self._ended, delivery=Delivery.INLINE),
            Subscription(UserChanged.name, UserChanged, self._changed, delivery=Delivery.INLINE),
            Subscription(UserErased.name, UserErased, self._erased, delivery=Delivery.INLINE),
        ]

    async def look_again(self) -> None:
        """Close what came late; runs until cancelled."""
        while True:
            await self._is_any.wait()
            await trio.sleep(LOOK_AGAIN_SECONDS)
            self._live.close_where(self._is_gone, REVOKED)
            while self._gone and next(iter(self._gone.values())) < trio.current_time() - REMEMBERED_SECONDS:
                self._gone.popitem(last=False)
            if not self._gone:
                self._is_any = trio.Event()

    def _revoked(self, event: CredentialRevoked) -> None:
        self._close(event.credential_id)

    def _ended(self, event: SessionEnded) -> None:
        self._close(event.session_id)

    def _changed(self, event: UserChanged) -> None:
        if event.is_active:
            self._gone.pop(event.user_id, None)
        else:
            self._close(event.user_id)

    def _erased(self, event: UserErased) -> None:
        self._close(event.user_id)

    def _close(self, gone: UUID) -> None:
        self._gone[gone] = trio.current_time()
        self._gone.move_to_end(gone)
        if len(self._gone) > MOST_REMEMBERED:
            self._gone.popitem(last=False)
        self._is_any.set()
        if self._live.outlets:
            self._live.close_where(lambda outlet: any(gone in _ids(each) for each in outlet.principals), REVOKED)

    def _is_gone(self, outlet: Outlet) -> bool:
        return any(id_ in self._gone for principal in outlet.principals for id_ in _ids(principal))


def _ids(principal: Principal) -> tuple[UUID | None, ...]:
    return principal.credential_id, principal.session_id, principal.user_id

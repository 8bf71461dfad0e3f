"""Streams of jobs: all that are known first, then each change; the same for devices and for the page."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any
from uuid import UUID

import msgspec

from manor import Closing, Delivery, Entry, Live, PluginContext, Subscription, Transaction
from manor_hostservices.config import HostConfig
from manor_hostservices.events import JobChanged
from manor_hostservices.jobs import store
from manor_hostservices.jobs.known import KnownJob

CHANNEL = "hostservices:jobs"

MOST_STREAMS = 10
"""Open at once by one device, or in one person's browsers."""

PAGE = 100
RETRY = 3000
"""Milliseconds that an EventSource waits before it connects again."""

RETRY_SECONDS = 30
PING_SECONDS = 25.0

LOOK_AGAIN = Closing(4401, "rights changed: connect again")

_HEADERS = {"Cache-Control": "no-cache, no-transform"}


class Snapshot(msgspec.Struct, frozen=True):
    """The first event: the newest hundred jobs, newest first."""

    jobs: list[KnownJob]


class HeardUser(msgspec.Struct):
    """What is read of `identity.user_changed`."""

    user_id: UUID


class JobStreams:
    """Opens streams, and tells them what happens.

    Args:
        context: The plugin's own.
    """

    def __init__(self, context: PluginContext[HostConfig]) -> None:
        self._storage = context.storage
        self._live = context.live
        self._limits = context.limits

    def subscriptions(self) -> list[Subscription[Any]]:
        """What it hears."""
        return [
            Subscription(JobChanged.name, JobChanged, self._tell, delivery=Delivery.INLINE),
            Subscription("identity.user_changed", HeardUser, self._look_again, delivery=Delivery.INLINE),
        ]

    async def open(self, who: str) -> Live:
        """A stream for somebody: a `snapshot`, then a `job` for each change.

        A client that comes back is told everything anew: it is what jobs are now that counts.

        Args:
            who: A device's or a person's id, by which streams are counted.

        Raises:
            TooManyRequests: They have too many open.
        """
        known, cursor = await self._storage.read(lambda tx: (store.newest(tx), store.position(tx)))
        held = self._limits.hold("host streams", who, MOST_STREAMS, retry_after=RETRY_SECONDS)
        snapshot = Entry(0, "snapshot", msgspec.json.encode(Snapshot(known)), id=str(cursor), retry=RETRY)
        feed = self._live.feed(
            [self._live.channel(CHANNEL)],
            greeting=[snapshot],
            # What changes between the read above and the moment that the door attaches the stream.
            replay=self._replay,
            ping=_ping,
            ping_seconds=PING_SECONDS,
            released=held.release,
        )
        return Live(feed, cursor, headers=_HEADERS)

    async def _replay(self, after: int) -> Sequence[Entry]:
        def page(transaction: Transaction) -> list[Entry]:
            return [_entry(position, job) for position, job in store.changed_after(transaction, after, PAGE)]

        return await self._storage.read(page)

    def _tell(self, changed: JobChanged) -> None:
        channel = self._live.find(CHANNEL)
        if channel is not None:
            channel.append(_entry(changed.position, changed.job))

    def end(self, session_id: UUID) -> None:
        """End the streams that a session opened; whose sign-in is fresh comes back."""
        channel = self._live.find(CHANNEL)
        if channel is not None:
            channel.close(LOOK_AGAIN, lambda outlet: any(each.session_id == session_id for each in outlet.principals))

    def _look_again(self, changed: HeardUser) -> None:
        """End the streams of somebody who may have ceased to be an administrator; who still is comes back."""
        channel = self._live.find(CHANNEL)
        if channel is not None:
            channel.close(LOOK_AGAIN, lambda outlet: any(each.user_id == changed.user_id for each in outlet.principals))


def _entry(position: int, job: KnownJob) -> Entry:
    return Entry(position, "job", msgspec.json.encode(job), id=str(position))


def _ping() -> Entry:
    return Entry(0, "ping", b"{}")

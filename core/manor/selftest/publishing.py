"""Publishers that note what they were promised, and the reading back of what is there."""

from __future__ import annotations

import time
from collections.abc import Sequence

import msgspec
import trio

from manor.selftest.ledger import Acknowledged, Stored, text_of
from manor.selftest.wire import BROKEN, connect

PAGE = 100
"""Messages a page of the history, the most that the daemon gives."""


class _Published(msgspec.Struct):
    id: str


class _Page(msgspec.Struct):
    messages: list[Stored]


class Publishers:
    """Several connections that publish to one topic as fast as they are answered, and never repeat a message.

    `acknowledged` grows while they run; a message whose connection broke before the answer is in no list: it may be
    stored or not.

    Args:
        port: the daemon's, on this machine.
        topic: an existing topic.
        connections: how many publish at once.
        padding: bytes added to each message.
    """

    def __init__(self, port: int, topic: str, *, connections: int, padding: int = 0) -> None:
        self.acknowledged: list[Acknowledged] = []
        self.sent = 0
        self._port = port
        self._topic = topic
        self._connections = connections
        self._padding = padding

    async def run(self) -> None:
        """Publish until cancelled."""
        async with trio.open_nursery() as nursery:
            for publisher in range(self._connections):
                nursery.start_soon(self._publish_for_ever, publisher)

    async def _publish_for_ever(self, publisher: int) -> None:
        number = 0
        while True:
            try:
                async with connect(self._port) as connection:
                    while True:
                        number += 1
                        self.sent += 1
                        text = text_of(publisher, number, self._padding)
                        answer = await connection.post(f"/{self._topic}", text.encode())
                        if answer.status == 200:
                            published = msgspec.json.decode(answer.body, type=_Published)
                            self.acknowledged.append(Acknowledged(published.id, text, time.monotonic_ns()))
            except BROKEN:
                await trio.sleep(0.02)


class Reader:
    """A subscriber that resumes by `Last-Event-ID` after every break; `heard` is everything, in the order it came."""

    def __init__(self, port: int, topic: str) -> None:
        self.heard: list[Stored] = []
        self._news = trio.Event()
        self._port = port
        self._topic = topic

    async def run(self) -> None:
        """Listen until cancelled."""
        while True:
            last = self.heard[-1].id if self.heard else ""
            try:
                async with connect(self._port) as connection:
                    async for event, data in connection.events(f"/{self._topic}/sse?since=all", last):
                        if event == "message":
                            self.heard.append(msgspec.json.decode(data, type=Stored))
                            self._news.set()
            except BROKEN:
                pass
            await trio.sleep(0.02)

    async def catch_up(self, stored: Sequence[Stored]) -> None:
        """Wait until the newest of `stored` was heard."""
        while stored and (not self.heard or self.heard[-1].sequence < stored[-1].sequence):
            self._news = trio.Event()
            await self._news.wait()


async def read_history(port: int, topic: str) -> list[Stored]:
    """Read a whole topic, oldest first, page by page."""
    stored: list[Stored] = []
    async with connect(port) as connection:
        while True:
            since = stored[-1].id if stored else "all"
            answer = await connection.get(f"/{topic}/json?since={since}&limit={PAGE}")
            page = msgspec.json.decode(answer.body, type=_Page).messages
            stored += page
            if len(page) < PAGE:
                return stored

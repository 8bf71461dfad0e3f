"""Numbers of playlists that never go back: not with the next daemon either, nor with a clock that does.

A player knows a stream by its URL, and goes on counting there when the server was away for a while. A media sequence
number that is lower than before is an old playlist to it (RFC 8216 section 6.3.4); a discontinuity sequence number
that it knows already says that timestamps go on as they did, though another encoder begins them anew (section 6.2.1).
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import trio
from sqlalchemy import BigInteger, Column, MetaData, String, Table, select
from sqlalchemy.dialects.sqlite import insert

from manor import Refused, Storage, Transaction
from manor_stream.hls.window import Numbers, Window

metadata = MetaData()

numbers = Table(
    "stream_playlist_numbers",
    metadata,
    Column("name", String, primary_key=True),
    Column("next", BigInteger, nullable=False),
)
"""Above every number that was ever given: of `segment` and of `discontinuity`."""

EVERY_SECONDS = 5.0

AHEAD = Numbers(segment=120, discontinuity=8)
"""So many are set aside at once: few discontinuities, as hls.js walks from 0 to the number of one."""

LEAST = Numbers(segment=30, discontinuity=4)
"""With fewer left more are set aside; more than are given between two looks."""


class Numbering:
    """Sets numbers aside before the window gives them, so that a crash takes nothing back.

    Args:
        storage: Keeps them.
        window: Gives them.
    """

    def __init__(self, storage: Storage, window: Window) -> None:
        self._storage = storage
        self._window = window
        self._kept = Numbers(0, 0)

    @asynccontextmanager
    async def opened(self) -> AsyncIterator[None]:
        """The window begins above everything that was ever given."""
        self._kept = await self._storage.read(_find)
        self._window.begin_above(self._kept)
        yield

    async def run(self) -> None:
        """Look until cancelled. For a background task."""
        while True:
            await self.look()
            await trio.sleep(EVERY_SECONDS)

    async def look(self) -> None:
        """Set more numbers aside when few are left."""
        reached, kept = self._window.next_numbers, self._kept
        if kept.segment >= reached.segment + LEAST.segment and (
            kept.discontinuity >= reached.discontinuity + LEAST.discontinuity
        ):
            return
        wanted = Numbers(reached.segment + AHEAD.segment, reached.discontinuity + AHEAD.discontinuity)
        try:
            await self._storage.write(lambda transaction: _keep(transaction, wanted))
        except Refused:
            # A full disk is told elsewhere, and the next look tries again; the time in seconds is above most numbers.
            return
        self._kept = wanted


def _find(transaction: Transaction) -> Numbers:
    found = {row.name: row.next for row in transaction.connection.execute(select(numbers))}
    return Numbers(found.get("segment", 0), found.get("discontinuity", 0))


def _keep(transaction: Transaction, values: Numbers) -> None:
    statement = insert(numbers)
    transaction.connection.execute(
        statement.on_conflict_do_update(index_elements=["name"], set_={"next": statement.excluded.next}),
        [
            {"name": "segment", "next": values.segment},
            {"name": "discontinuity", "next": values.discontinuity},
        ],
    )

"""Broadcasts as the database has them."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from sqlalchemy import BigInteger, Column, MetaData, String, Table, insert, select, update

from manor import Id, Time, Transaction
from manor_stream.broadcast.means import Means
from manor_stream.events import StreamStarted, StreamStopped
from manor_stream.on_air import Metadata

metadata = MetaData()

broadcasts = Table(
    "stream_broadcasts",
    metadata,
    Column("id", Id, primary_key=True),
    Column("started_at", Time, nullable=False),
    Column("ended_at", Time),
    Column("title", String, nullable=False),
    Column("address", String, nullable=False),
    Column("video_codec", String, nullable=False),
    Column("audio_codec", String, nullable=False),
    Column("peak_viewers", BigInteger, nullable=False),
    Column("end_reason", String, nullable=False),
)
"""Every broadcast that was live; the one that is has no `ended_at`."""

INTERRUPTED = "The server stopped"


@dataclass(frozen=True)
class Described:
    """What events say of the server, as it is when they are told."""

    server_name: str
    summary: str
    stream_title: str
    url: str

    @classmethod
    def now(cls, means: Means) -> Described:
        """As the settings are."""
        settings = means.settings.now
        url = settings.server_url or means.context.public_url
        return cls(settings.name, settings.summary, settings.stream_title, url)


async def record_start(means: Means, broadcast_id: UUID, at: datetime, address: str, source: Metadata) -> None:
    """A broadcast is live."""
    told = Described.now(means)

    def work(transaction: Transaction) -> None:
        transaction.connection.execute(
            insert(broadcasts).values(
                id=broadcast_id,
                started_at=at,
                ended_at=None,
                title=told.stream_title,
                address=address,
                video_codec=source.video_codec,
                audio_codec=source.audio_codec,
                peak_viewers=0,
                end_reason="",
            )
        )
        transaction.emit(
            StreamStarted(
                broadcast_id=broadcast_id,
                server_name=told.server_name,
                summary=told.summary,
                stream_title=told.stream_title,
                url=told.url,
                timestamp=at,
            )
        )

    await means.context.storage.write(work)


async def record_end(means: Means, broadcast_id: UUID, at: datetime, reason: str, peak: int) -> None:
    """It is over."""
    told = Described.now(means)
    await means.context.storage.write(lambda transaction: _end(transaction, broadcast_id, at, reason, peak, told))


async def end_left_open(means: Means) -> None:
    """A daemon that did not come to its own end told nobody that its broadcast was over."""
    told = Described.now(means)
    at = means.context.clock.now()

    def work(transaction: Transaction) -> None:
        left = select(broadcasts.c.id, broadcasts.c.peak_viewers).where(broadcasts.c.ended_at.is_(None))
        for row in transaction.connection.execute(left).all():
            _end(transaction, row.id, at, INTERRUPTED, row.peak_viewers, told)

    await means.context.storage.write(work)


def _end(transaction: Transaction, broadcast_id: UUID, at: datetime, reason: str, peak: int, told: Described) -> None:
    ended = transaction.connection.execute(
        update(broadcasts)
        .where(broadcasts.c.id == broadcast_id, broadcasts.c.ended_at.is_(None))
        .values(ended_at=at, end_reason=reason, peak_viewers=peak)
    )
    if not ended.rowcount:
        # Its start never reached the disk, so nobody was told of it; or its end did before, and everybody was.
        return
    transaction.emit(
        StreamStopped(
            broadcast_id=broadcast_id,
            server_name=told.server_name,
            summary=told.summary,
            stream_title=told.stream_title,
            url=told.url,
            reason=reason,
            peak_viewers=peak,
            timestamp=at,
        )
    )

"""What a ring is. Pure: no storage, no network, no framework."""

from datetime import datetime, timedelta
from uuid import UUID

import msgspec


class Ring(msgspec.Struct, frozen=True):
    """Someone pressed a bell."""

    id: UUID
    door: str
    rung_at: datetime


def oldest_kept(now: datetime, *, keep_days: int) -> datetime:
    """Rings from before this moment are forgotten."""
    return now - timedelta(days=keep_days)

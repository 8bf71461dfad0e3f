"""A person's data: every part's share of the export, and of the erasure."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from typing import Any
from uuid import UUID

from manor import PersonalData, Transaction
from manor_topics.parts import Part


def personal_data(parts: Sequence[Part]) -> PersonalData:
    """What the parts have of a person, one after the other."""

    async def export(user_id: UUID) -> AsyncIterator[tuple[str, Any]]:
        for part in parts:
            async for section, item in part.export(user_id):
                yield section, item

    def erase(transaction: Transaction, user_id: UUID, limit: int) -> int:
        gone = 0
        for part in parts:
            gone += part.erase(transaction, user_id, limit - gone)
            if gone >= limit:
                break
        return gone

    return PersonalData(tuple(section for part in parts for section in part.sections()), export, erase)

"""The steps to today's `topics_` tables; a step that has been released is never edited.

The tables are written out in the steps, apart from `tables.py`, which goes on to change.
"""

from __future__ import annotations

from manor import Clock, Migration
from manor_topics.migrations import first, followers, plans


def migrations(clock: Clock) -> list[Migration]:
    """All steps, in order.

    Args:
        clock: Dates the topic that a first start makes.
    """
    return [*first.steps(clock), plans.STEP, followers.STEP]

"""Lists of teams."""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy import ColumnElement, func, select

from manor import Transaction, teams_table
from manor_chat.store.teams import ChatTeam, list_teams, select_teams
from manor_chat.tables.people import teams

LONGEST_TERM = 255


def list_visible_teams(
    transaction: Transaction,
    *,
    every: bool,
    offset: int,
    limit: int,
    term: str = "",
    allow_open_invite: bool | None = None,
) -> tuple[Sequence[ChatTeam], int]:
    """A page of teams by display name, and how many there are in all.

    Args:
        transaction: The caller's.
        every: Also those that only invited people join.
        offset: Behind how many.
        limit: How many.
        term: Part of the name or the display name, whatever the case.
        allow_open_invite: Only open ones, or only the others.
    """
    if len(term) > LONGEST_TERM or "\0" in term:
        # No name is so long or has a NUL; SQLite refuses the one, and ends a pattern at the other.
        return [], 0
    conditions: list[ColumnElement[bool]] = [teams_table.c.is_active.is_(True)]
    if not every:
        conditions.append(teams.c.allow_open_invite.is_(True))
    if allow_open_invite is not None:
        conditions.append(teams.c.allow_open_invite.is_(allow_open_invite))
    if term:
        in_name = teams_table.c.name.icontains(term, autoescape=True)
        conditions.append(in_name | teams_table.c.display_name.icontains(term, autoescape=True))
    page = select_teams().where(*conditions).order_by(teams_table.c.display_name, teams_table.c.id)
    count = select(func.count()).select_from(teams_table).join(teams, teams.c.team_id == teams_table.c.id)
    total = transaction.connection.execute(count.where(*conditions)).scalar_one()
    return list_teams(transaction, page.offset(offset).limit(limit)), total

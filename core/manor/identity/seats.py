"""Seats: how many people the owner of teams may have in them, all teams taken together."""

from __future__ import annotations

from collections.abc import Callable
from uuid import UUID

from sqlalchemy import distinct, func, select

from manor.errors import Forbidden
from manor.identity.team_tables import members, teams
from manor.identity.users import find_user
from manor.storage import Transaction

Seats = Callable[[str], int]
"""How many people a tier has room for; 0 is unlimited."""


def count_seats(transaction: Transaction, owner_id: UUID) -> int:
    """How many different people are in the teams that somebody owns, the owner among them; 0 without a team.

    Teams that are switched off count, for they may be switched on again. Invites do not: a seat is taken by joining.
    """
    query = (
        select(func.count(distinct(members.c.user_id)))
        .join_from(members, teams, teams.c.id == members.c.team_id)
        .where(teams.c.owner_id == owner_id)
    )
    return transaction.connection.execute(query).scalar_one()


def check_seat(transaction: Transaction, owner_id: UUID, user_id: UUID | None, seats: Seats) -> None:
    """See that there is room for one more in the teams of their owner; who is in one of them already takes no more.

    Args:
        transaction: A reading one will do.
        owner_id: Whose teams.
        user_id: Who is to join; None for somebody without an account.
        seats: What plans have room for.

    Raises:
        Forbidden: All seats are taken.
    """
    owner = find_user(transaction, user_id=owner_id)
    if owner is None or owner.is_system:
        return
    most = seats(owner.tier)
    if most and count_seats(transaction, owner_id) >= most and not _is_seated(transaction, owner_id, user_id):
        raise Forbidden(f"The plan of the team's owner has room for {most} people, and they are there")


def _is_seated(transaction: Transaction, owner_id: UUID, user_id: UUID | None) -> bool:
    query = (
        select(members.c.id)
        .join_from(members, teams, teams.c.id == members.c.team_id)
        .where(teams.c.owner_id == owner_id, members.c.user_id == user_id)
        .limit(1)
    )
    return user_id is not None and transaction.connection.execute(query).first() is not None

"""What the sockets ask of the database."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from datetime import datetime
from uuid import UUID

import msgspec
from sqlalchemy import select

from manor import Principal, Transaction, find_credential, find_session, members_table, users_table
from manor_chat.socket.roster import Standing
from manor_chat.tables.channels import channel_members

_AT_ONCE = 500


class Entry(msgspec.Struct, frozen=True):
    """Somebody who may connect: what they are in, and until when their sign-in is good."""

    standing: Standing
    until: datetime | None


def find_entry(transaction: Transaction, principal: Principal) -> Entry | None:
    """Whether somebody may connect, by a snapshot of their account, their sign-in and all that they are in.

    Returns:
        None when the account is not active, or the sign-in or credential is over by now.
    """
    ends: list[datetime] = []
    if principal.credential_id is not None:
        credential = find_credential(transaction, principal.credential_id)
        if credential is None or not credential.is_usable(transaction.now):
            return None
        if credential.expires_at is not None:
            ends.append(credential.expires_at)
    if principal.session_id is not None:
        session = find_session(transaction, principal.session_id)
        if session is None or not session.is_alive(transaction.now):
            return None
        ends.append(session.expires_at)
    assert principal.user_id is not None, "chat's credentials are somebody's"
    standing = find_standings(transaction, [principal.user_id]).get(principal.user_id)
    return None if standing is None else Entry(standing, min(ends, default=None))


def find_standings(transaction: Transaction, user_ids: Collection[UUID]) -> dict[UUID, Standing]:
    """What people are in, of those whose accounts are active."""
    found: dict[UUID, Standing] = {}
    ids = list(user_ids)
    for start in range(0, len(ids), _AT_ONCE):
        some = ids[start : start + _AT_ONCE]
        query = select(users_table.c.id, users_table.c.is_admin).where(users_table.c.id.in_(some))
        for row in transaction.connection.execute(query.where(users_table.c.is_active)):
            found[row.id] = Standing(is_admin=row.is_admin, channels=set(), teams=set())
        theirs = select(channel_members.c.user_id, channel_members.c.channel_id)
        for row in transaction.connection.execute(theirs.where(channel_members.c.user_id.in_(some))):
            if row.user_id in found:
                found[row.user_id].channels.add(row.channel_id)
        teams = select(members_table.c.user_id, members_table.c.team_id)
        for row in transaction.connection.execute(teams.where(members_table.c.user_id.in_(some))):
            if row.user_id in found:
                found[row.user_id].teams.add(row.team_id)
    return found


def find_teammates(transaction: Transaction, user_id: UUID) -> Sequence[UUID]:
    """Everybody who shares a team with somebody, and they themselves."""
    mine = select(members_table.c.team_id).where(members_table.c.user_id == user_id)
    query = select(members_table.c.user_id).where(members_table.c.team_id.in_(mine)).distinct()
    found = transaction.connection.execute(query).scalars().all()
    return found if user_id in found else [*found, user_id]

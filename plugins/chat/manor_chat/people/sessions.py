"""Sessions of chat: one for each sign-in, with the token that its client keeps."""

from __future__ import annotations

from datetime import timedelta
from typing import Any
from uuid import UUID

import msgspec
from sqlalchemy import delete, insert, select

from manor import (
    Head,
    NewCredential,
    Session,
    Transaction,
    end_session,
    find_session,
    issue,
    list_sessions,
    members_table,
    note_login,
    open_session,
    teams_table,
)
from manor_chat import faults
from manor_chat.config import ChatConfig
from manor_chat.domain.agents import describe_agent
from manor_chat.http.api import SESSION
from manor_chat.ids import SESSION_LETTER, new_token, shown_id
from manor_chat.store.people import Person
from manor_chat.tables.accounts import session_devices
from manor_chat.times import to_milliseconds
from manor_chat.wire.teams import TeamMemberShown, show_team_member

_AS_LONG_AS_USED = timedelta(days=3650)
"""A session goes on for as long as its client uses it."""


class SessionShown(msgspec.Struct, frozen=True, kw_only=True):
    """A session; its token is never shown again."""

    id: str
    token: str = ""
    create_at: int
    expires_at: int
    last_activity_at: int
    user_id: str
    device_id: str
    roles: str
    is_oauth: bool = False
    expired_notify: bool = False
    props: dict[str, str]
    team_members: list[TeamMemberShown]
    local: bool = False


def begin_session(
    transaction: Transaction, user_id: UUID, head: Head, config: ChatConfig, *, device_id: str = ""
) -> str:
    """Sign somebody in who has shown who they are; gives the token, which stands nowhere else.

    A device that signs in again has one session, the new one.
    """
    token = new_token(SESSION_LETTER)
    note_login(transaction, user_id)
    if device_id:
        theirs = (session_devices.c.user_id == user_id) & (session_devices.c.device_id == device_id)
        older = transaction.connection.execute(select(session_devices.c.session_id).where(theirs)).scalars().all()
        for session_id in older:
            end_session(transaction, session_id)
    session = open_session(
        transaction,
        user_id=user_id,
        kind=SESSION,
        ip=head.address,
        user_agent=head.headers.get("user-agent") or "",
        life=timedelta(days=config.session_days),
        absolute=_AS_LONG_AS_USED,
    )
    issue(transaction, NewCredential(kind=SESSION, user_id=user_id, session_id=session.id), token)
    if device_id:
        keep_device(transaction, session.id, user_id, device_id)
    return token


def keep_device(transaction: Transaction, session_id: UUID, user_id: UUID, device_id: str) -> None:
    """Note which device a session is on; a device is in one session, the last."""
    table = session_devices
    older = (table.c.session_id == session_id) | ((table.c.user_id == user_id) & (table.c.device_id == device_id))
    transaction.connection.execute(delete(table).where(older))
    transaction.connection.execute(insert(table).values(session_id=session_id, user_id=user_id, device_id=device_id))


def show_sessions(transaction: Transaction, person: Person) -> list[SessionShown]:
    """Somebody's sessions, the newest first."""
    sessions = list_sessions(transaction, person.id, SESSION)
    query = select(session_devices.c.session_id, session_devices.c.device_id)
    rows = transaction.connection.execute(query.where(session_devices.c.user_id == person.id))
    devices: dict[UUID, str] = {row.session_id: row.device_id for row in rows}
    members = _memberships(transaction, person.id)
    return [_shown(session, person, devices.get(session.id, ""), members) for session in sessions]


def existing_session(transaction: Transaction, session_id: UUID, user_id: UUID) -> Session:
    """A session of somebody's in chat, over or not.

    Raises:
        BadRequest: 400: they have no such session.
    """
    session = find_session(transaction, session_id)
    if session is None or session.user_id != user_id or session.kind != SESSION:
        raise faults.bad_url_param("session_id")
    return session


def _shown(session: Session, person: Person, device_id: str, members: list[TeamMemberShown]) -> SessionShown:
    return SessionShown(
        id=shown_id(session.id),
        create_at=to_milliseconds(session.created_at),
        expires_at=to_milliseconds(session.expires_at),
        last_activity_at=to_milliseconds(session.last_used_at),
        user_id=shown_id(person.id),
        device_id=device_id,
        roles=" ".join(person.roles),
        props=describe_agent(session.user_agent),
        team_members=members,
    )


def _memberships(transaction: Transaction, user_id: UUID) -> list[TeamMemberShown]:
    members = members_table
    query = (
        select(members.c.team_id, members.c.role, members.c.joined_at)
        .join(teams_table, teams_table.c.id == members.c.team_id)
        .where(members.c.user_id == user_id, teams_table.c.is_active)
        .order_by(members.c.team_id)
    )
    rows: Any = transaction.connection.execute(query)
    return [show_team_member(row.team_id, user_id, row.role, to_milliseconds(row.joined_at)) for row in rows]

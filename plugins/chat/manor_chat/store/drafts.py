"""What people have begun to write, as rows."""

from __future__ import annotations

from typing import Any
from uuid import UUID

import msgspec
from sqlalchemy import ColumnElement, delete, or_, select
from sqlalchemy.dialects.sqlite import insert as upsert

from manor import Transaction
from manor_chat.tables.channels import channel_members, channels
from manor_chat.tables.drafts import drafts

NO_ROOT = UUID(int=0)


class Draft(msgspec.Struct, frozen=True, kw_only=True):
    """Something that somebody has begun to write; see the table."""

    user_id: UUID
    channel_id: UUID
    root_id: UUID = NO_ROOT
    create_at: int
    update_at: int
    message: str = ""
    props: dict[str, Any] = {}
    file_ids: list[str] = []
    priority: dict[str, Any] | None = None


DRAFT = [drafts.c[name] for name in Draft.__struct_fields__]


def find_draft(transaction: Transaction, user_id: UUID, channel_id: UUID, root_id: UUID) -> Draft | None:
    """Somebody's draft for a channel or a thread, if there is one."""
    row = transaction.connection.execute(select(*DRAFT).where(_is(user_id, channel_id, root_id))).mappings().first()
    return None if row is None else Draft(**row)


def keep_draft(transaction: Transaction, draft: Draft) -> None:
    """Keep a draft, in place of the one before."""
    row = msgspec.structs.asdict(draft)
    changed = {name: row[name] for name in ("update_at", "message", "props", "file_ids", "priority")}
    statement = upsert(drafts).values(row)
    transaction.connection.execute(
        statement.on_conflict_do_update(index_elements=["user_id", "channel_id", "root_id"], set_=changed)
    )


def drop_draft(transaction: Transaction, draft: Draft) -> None:
    """Forget a draft."""
    where = _is(draft.user_id, draft.channel_id, draft.root_id)
    transaction.connection.execute(delete(drafts).where(where))


def drafts_of(transaction: Transaction, user_id: UUID, team_id: UUID) -> list[Draft]:
    """Somebody's drafts for channels of a team and of people that they are in, the last changed one first."""
    query = (
        select(*DRAFT)
        .join(channels, channels.c.id == drafts.c.channel_id)
        .join(
            channel_members,
            (channel_members.c.channel_id == drafts.c.channel_id) & (channel_members.c.user_id == drafts.c.user_id),
        )
        .where(drafts.c.user_id == user_id, or_(channels.c.team_id == team_id, channels.c.team_id.is_(None)))
        .where(channels.c.delete_at == 0)
        .order_by(drafts.c.update_at.desc(), drafts.c.channel_id, drafts.c.root_id)
    )
    return [Draft(**row) for row in transaction.connection.execute(query).mappings()]


def _is(user_id: UUID, channel_id: UUID, root_id: UUID) -> ColumnElement[bool]:
    return (drafts.c.user_id == user_id) & (drafts.c.channel_id == channel_id) & (drafts.c.root_id == root_id)

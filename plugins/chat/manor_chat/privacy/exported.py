"""What people are given of what they have in chat, besides profile, sidebar and files, which are their own parts'."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any
from uuid import UUID

from sqlalchemy import ColumnElement, Table, select

from manor import Storage
from manor_chat.ids import shown_id
from manor_chat.tables.channels import channel_members, channels
from manor_chat.tables.drafts import drafts
from manor_chat.tables.emoji import emojis
from manor_chat.tables.integrations import commands, incoming_hooks, outgoing_hooks
from manor_chat.tables.oauth import oauth_apps, oauth_grants
from manor_chat.tables.personal import preferences, statuses
from manor_chat.tables.posts import posts, reactions, thread_members

_SECRET = frozenset({"token", "secret_hash", "blob", "position", "sequence"})
"""Columns that open something, or say nothing to a person."""

_TABLES: tuple[tuple[str, Table, ColumnElement[Any]], ...] = (
    ("chat_posts", posts, posts.c.user_id),
    ("chat_reactions", reactions, reactions.c.user_id),
    ("chat_channels_made", channels, channels.c.creator_id),
    ("chat_memberships", channel_members, channel_members.c.user_id),
    ("chat_threads", thread_members, thread_members.c.user_id),
    ("chat_preferences", preferences, preferences.c.user_id),
    ("chat_drafts", drafts, drafts.c.user_id),
    ("chat_status", statuses, statuses.c.user_id),
    ("chat_emoji", emojis, emojis.c.creator_id),
    ("chat_incoming_webhooks", incoming_hooks, incoming_hooks.c.user_id),
    ("chat_outgoing_webhooks", outgoing_hooks, outgoing_hooks.c.creator_id),
    ("chat_commands", commands, commands.c.creator_id),
    ("chat_oauth_apps", oauth_apps, oauth_apps.c.creator_id),
    ("chat_oauth_grants", oauth_grants, oauth_grants.c.user_id),
)

SECTIONS = tuple(section for section, _, _ in _TABLES)
# Whoever knows the id of an incoming webhook may post with it.
_WITHOUT_ID = frozenset({"chat_incoming_webhooks"})


async def export(storage: Storage, user_id: UUID) -> AsyncIterator[tuple[str, dict[str, Any]]]:
    """All of it, read on its way out: nobody's posts are held in memory."""
    for section, table, owner in _TABLES:
        left_out = _SECRET | ({"id"} if section in _WITHOUT_ID else set())
        columns = [column for column in table.c if column.name not in left_out]
        async with storage.stream(select(*columns).where(owner == user_id)) as rows:
            async for row in rows:
                yield section, {name: _shown(value) for name, value in row._asdict().items()}


def _shown(value: Any) -> Any:
    return shown_id(value) if isinstance(value, UUID) else value

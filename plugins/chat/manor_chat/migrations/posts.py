"""Drafts, and what finds those who follow all threads of a channel."""

from __future__ import annotations

from sqlalchemy import Connection, text

from manor import Migration
from manor_chat.migrations.making import making
from manor_chat.tables.drafts import drafts


def _auto_followers(connection: Connection) -> None:
    connection.execute(
        text(
            "CREATE INDEX chat_channel_members_auto_follow ON chat_channel_members (channel_id, user_id)"
            " WHERE json_extract(notify_props, '$.channel_auto_follow_threads') = 'on'"
        )
    )


STEPS = [
    Migration("0020_drafts", making(drafts)),
    Migration("0021_auto_followers", _auto_followers),
]

"""The chat: who writes, what was said, who is shut out."""

from __future__ import annotations

from sqlalchemy import BigInteger, Boolean, Column, Connection, Integer, LargeBinary, MetaData, String, Table, text
from sqlalchemy.schema import CreateTable

from manor import Id, Migration, Time


def _run(connection: Connection) -> None:
    metadata = MetaData()
    users = Table(
        "stream_chat_users",
        metadata,
        Column("id", Id, primary_key=True),
        Column("token_digest", LargeBinary),
        Column("display_name", String, nullable=False),
        Column("display_color", Integer, nullable=False),
        Column("previous_names", String, nullable=False),
        Column("is_moderator", Boolean, nullable=False),
        Column("is_bot", Boolean, nullable=False),
        Column("created_at", Time, nullable=False),
        Column("seen_at", Time, nullable=False),
        Column("disabled_at", Time),
    )
    messages = Table(
        "stream_chat_messages",
        metadata,
        Column("position", BigInteger, primary_key=True, autoincrement=False),
        Column("id", Id, nullable=False),
        Column("kind", String, nullable=False),
        Column("user_id", Id),
        Column("author", String, nullable=False),
        Column("client_id", BigInteger, nullable=False),
        Column("body", String, nullable=False),
        Column("raw_body", String, nullable=False),
        Column("is_visible", Boolean, nullable=False),
        Column("timestamp", Time, nullable=False),
    )
    bans = Table(
        "stream_chat_bans",
        metadata,
        Column("address", String, primary_key=True),
        Column("created_at", Time, nullable=False),
    )
    for table in (users, messages, bans):
        connection.execute(CreateTable(table))
    for statement in (
        "CREATE UNIQUE INDEX stream_chat_users_by_digest ON stream_chat_users (token_digest)",
        "CREATE INDEX stream_chat_users_by_sight ON stream_chat_users (seen_at)",
        "CREATE INDEX stream_chat_users_disabled ON stream_chat_users (disabled_at) WHERE disabled_at IS NOT NULL",
        "CREATE INDEX stream_chat_users_moderators ON stream_chat_users (id) WHERE is_moderator",
        "CREATE UNIQUE INDEX stream_chat_messages_by_id ON stream_chat_messages (id)",
        "CREATE INDEX stream_chat_messages_by_user ON stream_chat_messages (user_id, position)",
        "CREATE INDEX stream_chat_messages_by_time ON stream_chat_messages (timestamp)",
    ):
        connection.execute(text(statement))


STEP = Migration("0002_chat", _run)

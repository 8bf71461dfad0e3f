"""Uploads under way, and what finds files that nobody needs any more; custom emoji; what links lead to."""

from __future__ import annotations

from sqlalchemy import Connection, text

from manor import Migration
from manor_chat.migrations.making import making
from manor_chat.tables.emoji import emojis
from manor_chat.tables.links import links
from manor_chat.tables.uploads import secrets, uploads

_FORGOTTEN = (
    "CREATE INDEX chat_files_unattached ON chat_files (create_at) WHERE post_id IS NULL",
    "CREATE INDEX chat_files_deleted ON chat_files (delete_at) WHERE delete_at > 0",
)


def _uploads(connection: Connection) -> None:
    making(uploads, secrets)(connection)
    for statement in _FORGOTTEN:
        connection.execute(text(statement))


UPLOADS = Migration("0035_uploads", _uploads)
EMOJI = Migration("0036_emoji", making(emojis))
LINKS = Migration("0037_links", making(links))

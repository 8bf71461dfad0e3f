"""For imports: what finds the posts of a moment, to see which are there already, and what is not counted yet."""

from __future__ import annotations

from sqlalchemy import Connection, text

from manor import Migration
from manor_chat.migrations.making import making
from manor_chat.tables.channels import uncounted


def _moments(connection: Connection) -> None:
    connection.execute(text("CREATE INDEX chat_posts_created ON chat_posts (channel_id, create_at)"))


STEPS = [Migration("0050_moments", _moments), Migration("0051_uncounted", making(uncounted))]

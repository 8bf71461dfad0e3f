"""What finds the posts of a moment: an import asks whether a post is there already."""

from __future__ import annotations

from sqlalchemy import Connection, text

from manor import Migration


def _moments(connection: Connection) -> None:
    connection.execute(text("CREATE INDEX chat_posts_created ON chat_posts (channel_id, create_at)"))


STEP = Migration("0050_moments", _moments)

"""How people arrange their channels."""

from __future__ import annotations

from sqlalchemy import Boolean, Column, Index, Integer, String, Table

from manor import Id
from manor_chat.tables.meta import metadata

sidebar_categories = Table(
    "chat_sidebar_categories",
    metadata,
    Column("user_id", Id, primary_key=True),
    Column("team_id", Id, primary_key=True),
    Column("id", String, primary_key=True),
    Column("type", String, nullable=False),
    Column("display_name", String, nullable=False),
    Column("sorting", String, nullable=False),
    Column("muted", Boolean, nullable=False),
    Column("collapsed", Boolean, nullable=False),
    Column("sort_order", Integer, nullable=False),
)
"""Somebody's categories in a team, in `sort_order`. The three that everybody has are rows only once one of the person's
was changed there. `id` is as clients see it: built-in ones are called after what they are."""

sidebar_channels = Table(
    "chat_sidebar_channels",
    metadata,
    Column("user_id", Id, primary_key=True),
    Column("team_id", Id, primary_key=True),
    Column("channel_id", Id, primary_key=True),
    Column("category_id", String, nullable=False),
    Column("sort_order", Integer, nullable=False),
    Index("chat_sidebar_channels_category", "user_id", "team_id", "category_id"),
)
"""Where somebody put a channel, at most one place in each team; what is in no row is in the built-in category of its
type."""

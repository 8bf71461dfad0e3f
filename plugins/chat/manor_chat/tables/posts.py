"""Posts, threads, reactions, and the files that posts carry."""

from __future__ import annotations

from sqlalchemy import JSON, BigInteger, Boolean, Column, Index, Integer, String, Table, text

from manor import Id
from manor_chat.tables.meta import metadata

posts = Table(
    "chat_posts",
    metadata,
    Column("id", Id, primary_key=True),
    Column("channel_id", Id, nullable=False),
    Column("user_id", Id, nullable=False),
    Column("root_id", Id),
    Column("original_id", Id),
    Column("create_at", BigInteger, nullable=False),
    Column("update_at", BigInteger, nullable=False),
    Column("edit_at", BigInteger, nullable=False),
    Column("delete_at", BigInteger, nullable=False),
    Column("is_pinned", Boolean, nullable=False),
    Column("has_reactions", Boolean, nullable=False),
    Column("type", String, nullable=False),
    Column("message", String, nullable=False),
    Column("hashtags", String, nullable=False),
    Column("props", JSON, nullable=False),
    Column("file_ids", JSON, nullable=False),
    Column("sequence", Integer),
    Column("position", BigInteger),
    Column("reply_count", Integer, nullable=False),
    Column("last_reply_at", BigInteger, nullable=False),
    Index("chat_posts_channel", "channel_id", "sequence", unique=True),
    Index("chat_posts_updated", "channel_id", "update_at"),
    Index("chat_posts_root", "root_id", "sequence", sqlite_where=text("root_id IS NOT NULL")),
    Index("chat_posts_original", "original_id", sqlite_where=text("original_id IS NOT NULL")),
    Index("chat_posts_user", "user_id"),
    Index("chat_posts_pinned", "channel_id", "is_pinned", sqlite_where=text("is_pinned = 1")),
)
"""`sequence` counts a channel's posts without gaps; an earlier text of an edited post is a row with `original_id` and
without a `sequence`. A root has `reply_count` and `last_reply_at` of its thread."""

thread_members = Table(
    "chat_thread_members",
    metadata,
    Column("root_id", Id, primary_key=True),
    Column("user_id", Id, primary_key=True),
    Column("channel_id", Id, nullable=False),
    Column("following", Boolean, nullable=False),
    Column("has_replied", Boolean, nullable=False),
    Column("last_viewed_at", BigInteger, nullable=False),
    Column("seen_replies", Integer, nullable=False),
    Column("unread_mentions", Integer, nullable=False),
    Column("update_at", BigInteger, nullable=False),
    Index("chat_thread_members_user", "user_id", "following"),
)
"""Who follows a thread or wrote in it. `seen_replies` is what the root's `reply_count` was at the last view."""

reactions = Table(
    "chat_reactions",
    metadata,
    Column("post_id", Id, primary_key=True),
    Column("user_id", Id, primary_key=True),
    Column("emoji_name", String, primary_key=True),
    Column("channel_id", Id, nullable=False),
    Column("create_at", BigInteger, nullable=False),
    Index("chat_reactions_user", "user_id"),
)

files = Table(
    "chat_files",
    metadata,
    Column("id", Id, primary_key=True),
    Column("user_id", Id, nullable=False),
    Column("channel_id", Id, nullable=False),
    Column("post_id", Id),
    Column("create_at", BigInteger, nullable=False),
    Column("update_at", BigInteger, nullable=False),
    Column("delete_at", BigInteger, nullable=False),
    Column("name", String, nullable=False),
    Column("extension", String, nullable=False),
    Column("size", BigInteger, nullable=False),
    Column("mime_type", String, nullable=False),
    Column("width", Integer, nullable=False),
    Column("height", Integer, nullable=False),
    Column("has_preview_image", Boolean, nullable=False),
    Column("mini_preview", String),
    Column("blob", String, nullable=False),
    Index("chat_files_post", "post_id"),
    Index("chat_files_channel", "channel_id"),
    Index("chat_files_user", "user_id"),
)
"""Uploaded files; without a `post_id` until a post names them. `blob` is the key of the content; its thumbnail and
preview have keys of the same beginning."""

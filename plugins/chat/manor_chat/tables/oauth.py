"""Programs that may act for people, and who lets which of them."""

from __future__ import annotations

from sqlalchemy import JSON, BigInteger, Boolean, Column, Index, LargeBinary, String, Table

from manor import Id
from manor_chat.tables.meta import metadata

oauth_apps = Table(
    "chat_oauth_apps",
    metadata,
    Column("id", Id, primary_key=True),
    Column("creator_id", Id, nullable=False),
    Column("create_at", BigInteger, nullable=False),
    Column("update_at", BigInteger, nullable=False),
    Column("name", String, nullable=False),
    Column("description", String, nullable=False),
    Column("icon_url", String, nullable=False),
    Column("homepage", String, nullable=False),
    Column("callback_urls", JSON, nullable=False),
    Column("is_trusted", Boolean, nullable=False),
    Column("secret_hash", LargeBinary(32), nullable=False),
    Index("chat_oauth_apps_creator", "creator_id"),
)

oauth_codes = Table(
    "chat_oauth_codes",
    metadata,
    Column("hash", LargeBinary(32), primary_key=True),
    Column("app_id", Id, nullable=False),
    Column("user_id", Id, nullable=False),
    Column("redirect_uri", String, nullable=False),
    Column("scope", String, nullable=False),
    Column("code_challenge", String, nullable=False),
    Column("expires_at", BigInteger, nullable=False),
    Column("used_at", BigInteger, nullable=False),
)
"""What a program is given to fetch its token with, as its SHA-256; `used_at` is 0 until it was."""

oauth_grants = Table(
    "chat_oauth_grants",
    metadata,
    Column("user_id", Id, primary_key=True),
    Column("app_id", Id, primary_key=True),
    Column("scope", String, nullable=False),
    Column("create_at", BigInteger, nullable=False),
)
"""Who lets which program act for them."""

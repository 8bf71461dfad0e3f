"""What other servers said of links in posts."""

from __future__ import annotations

from sqlalchemy import JSON, BigInteger, Column, Index, String, Table

from manor_chat.tables.meta import metadata

links = Table(
    "chat_links",
    metadata,
    Column("digest", String, primary_key=True),
    Column("looked_at", BigInteger, nullable=False),
    Column("kind", String, nullable=False),
    Column("said", JSON, nullable=False),
    Index("chat_links_looked_at", "looked_at"),
)
"""`digest` is of the address, which may hold secrets. `kind` is page, image or none; `said` is a page's Open Graph, or
how large a picture is."""

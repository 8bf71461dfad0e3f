"""The table of stream sessions: what a URL that an EventSource opens again and again stands for."""

from __future__ import annotations

from sqlalchemy import BigInteger, Column, LargeBinary, String, Table

from manor import Id, Time
from manor_topics.tables import metadata

sessions = Table(
    "topics_stream_sessions",
    metadata,
    Column("id", Id, primary_key=True),
    Column("hash", LargeBinary, nullable=False, unique=True),
    Column("user_id", Id, nullable=False),
    Column("session_id", Id),
    Column("credential_id", Id),
    Column("heard", String, nullable=False),
    Column("position", BigInteger),
    Column("created_at", Time, nullable=False),
    Column("expires_at", Time, nullable=False),
)
"""`session_id` and `credential_id` are what it was made with: it ends with them. `heard` is JSON: for each topic where
it begins. `position` is how far its client has come for sure; null until that is known."""

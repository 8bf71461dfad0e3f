"""The table of devices."""

from __future__ import annotations

from sqlalchemy import BigInteger, Boolean, Column, Integer, LargeBinary, String, Table

from manor import Id, Time
from manor_topics.tables import metadata

devices = Table(
    "topics_devices",
    metadata,
    Column("id", Id, primary_key=True),
    Column("user_id", Id, nullable=False),
    Column("device_id", String, nullable=False),
    Column("platform", String, nullable=False),
    Column("push_token", String, nullable=False),
    Column("token_digest", LargeBinary, nullable=False, unique=True),
    Column("device_name", String),
    Column("app_version", String),
    Column("is_active", Boolean, nullable=False),
    Column("created_at", Time, nullable=False),
    Column("last_seen", Time, nullable=False),
    Column("last_success_at", Time),
    Column("last_error_at", Time),
    Column("last_error", String),
    Column("failures", Integer, nullable=False),
    Column("delivered", BigInteger, nullable=False),
)
"""`token_digest` says which subscription at which push service it is, whatever else stands in the token. `failures`
counts those since the last success; `delivered` all successes."""

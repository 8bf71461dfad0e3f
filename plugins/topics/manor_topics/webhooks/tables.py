"""The tables of webhooks and of what was posted to them."""

from __future__ import annotations

from sqlalchemy import BigInteger, Boolean, Column, Integer, MetaData, String, Table

from manor import Id, Time

metadata = MetaData()

webhooks = Table(
    "topics_webhooks",
    metadata,
    Column("id", Id, primary_key=True),
    Column("topic_id", Id, nullable=False),
    Column("user_id", Id),
    Column("name", String, nullable=False),
    Column("url", String, nullable=False),
    Column("events", String, nullable=False),
    Column("priority_max", Integer),
    Column("tags", String, nullable=False),
    Column("secret", String, nullable=False),
    Column("old_secret", String),
    Column("old_secret_until", Time),
    Column("is_active", Boolean, nullable=False),
    Column("disabled_reason", String),
    Column("created_at", Time, nullable=False),
    Column("after_position", BigInteger, nullable=False),
    Column("failures", Integer, nullable=False),
    Column("failing_since", Time),
    Column("last_success_at", Time),
    Column("last_error", String),
)
"""`after_position`: messages up to there were published before the webhook wanted them. `failures` and `failing_since`
count from the last success."""

deliveries = Table(
    "topics_webhook_deliveries",
    metadata,
    Column("id", Id, primary_key=True),
    Column("webhook_id", Id, nullable=False),
    Column("event", String, nullable=False),
    Column("position", BigInteger, nullable=False),
    Column("message_id", Id, nullable=False),
    Column("payload", String),
    Column("state", String, nullable=False),
    Column("attempts", Integer, nullable=False),
    Column("status", Integer),
    Column("error", String),
    Column("response", String),
    Column("created_at", Time, nullable=False),
    Column("finished_at", Time),
)
"""What a message says is read when it is posted, so that what was deleted by then is not; `payload` is for what has no
message any more."""

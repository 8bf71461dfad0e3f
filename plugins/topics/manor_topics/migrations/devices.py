"""The devices that people are notified on."""

from __future__ import annotations

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    Connection,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    String,
    Table,
    UniqueConstraint,
)
from sqlalchemy.schema import CreateIndex, CreateTable

from manor import Id, Migration, Time


def _run(connection: Connection) -> None:
    devices = Table(
        "topics_devices",
        MetaData(),
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
        UniqueConstraint("user_id", "device_id"),
    )
    connection.execute(CreateTable(devices))
    connection.execute(CreateIndex(Index("topics_devices_by_seen", devices.c.last_seen)))


STEP = Migration("0007_devices", _run)

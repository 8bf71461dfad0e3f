"""Topics and messages, as the first release made them, and the topic `welcome`."""

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
    PrimaryKeyConstraint,
    String,
    Table,
    insert,
)
from sqlalchemy.schema import CreateIndex, CreateTable

from manor import SYSTEM_ID, Clock, Id, Migration, Time, new_id

# On SQLite only INTEGER is the row's own address; elsewhere it would be too short.
_Position = BigInteger().with_variant(Integer, "sqlite")


def steps(clock: Clock) -> list[Migration]:
    """The first steps.

    Args:
        clock: Dates the topic that a first start makes.
    """

    def welcome(connection: Connection) -> None:
        """The topic that a first start brings. A step of its own: once deleted, it stays deleted."""
        topics = _topics()
        connection.execute(
            insert(topics).values(
                id=new_id(),
                name="welcome",
                owner_id=SYSTEM_ID,
                access_level="public",
                description="Say hello: everyone may read this and publish to it",
                is_discoverable=True,
                icon_name="bell",
                icon_color="blue",
                created_at=clock.now(),
                last_sequence=0,
                message_count=0,
            )
        )

    return [Migration("0001_topics", _tables), Migration("0002_welcome", welcome)]


def _topics() -> Table:
    return Table(
        "topics_topics",
        MetaData(),
        Column("id", Id, primary_key=True),
        Column("name", String, nullable=False, unique=True),
        Column("owner_id", Id, nullable=False),
        Column("team_id", Id),
        Column("access_level", String, nullable=False),
        Column("description", String),
        Column("is_discoverable", Boolean, nullable=False),
        Column("icon_name", String),
        Column("icon_color", String),
        Column("created_at", Time, nullable=False),
        Column("last_sequence", BigInteger, nullable=False),
        Column("message_count", BigInteger, nullable=False),
        Column("last_message_at", Time),
    )


def _tables(connection: Connection) -> None:
    messages = Table(
        "topics_messages",
        MetaData(),
        Column("position", _Position, primary_key=True, autoincrement=False),
        Column("id", Id, nullable=False, unique=True),
        Column("topic_id", Id, nullable=False),
        Column("sequence", BigInteger, nullable=False),
        Column("message", String, nullable=False),
        Column("title", String),
        Column("priority", Integer, nullable=False),
        Column("tags", String, nullable=False),
        Column("timestamp", Time, nullable=False),
        Column("expires_at", Time),
        Column("is_deleted", Boolean, nullable=False),
        Column("edited_at", Time),
    )
    publish_keys = Table(
        "topics_publish_keys",
        MetaData(),
        Column("topic_id", Id, nullable=False),
        Column("publisher", String, nullable=False),
        Column("key", String, nullable=False),
        Column("fingerprint", LargeBinary, nullable=False),
        Column("position", BigInteger, nullable=False),
        Column("created_at", Time, nullable=False),
        PrimaryKeyConstraint("topic_id", "publisher", "key"),
    )
    for table in (_topics(), messages, publish_keys):
        connection.execute(CreateTable(table))
    for index in (
        Index("topics_messages_by_topic", messages.c.topic_id, messages.c.position),
        Index("topics_publish_keys_by_age", publish_keys.c.created_at),
        Index("topics_publish_keys_by_position", publish_keys.c.position),
    ):
        connection.execute(CreateIndex(index))

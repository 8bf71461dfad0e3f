"""The table of topics that are gone, and whose messages are still on their way out."""

from __future__ import annotations

from sqlalchemy import Column, Table

from manor import Id
from manor_topics.tables import metadata

clearings = Table(
    "topics_clearings",
    metadata,
    Column("topic_id", Id, primary_key=True),
    Column("owner_id", Id, nullable=False),
)
"""Whose the topic was: with a person, the messages go that were in what they had."""

"""The index of posts: which of its rows is which post, how far it has come, and what has changed since.

`chat_search` itself is FTS5's (see its migration): a row for each post, under a number that begins with when the post
was made, so that its order is that of time and a range of dates is a range of numbers. It keeps no texts; to take a
post out again, the text that it had is needed, which triggers write down as it goes.
"""

from __future__ import annotations

from sqlalchemy import BigInteger, Column, Integer, Table

from manor import Id
from manor_chat.tables.meta import metadata

search_posts = Table(
    "chat_search_posts",
    metadata,
    Column("number", Integer, primary_key=True),
    Column("post_id", Id, nullable=False, unique=True),
)

search_state = Table(
    "chat_search_state",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("position", BigInteger, nullable=False),
)
"""Every post up to this position is in the index."""

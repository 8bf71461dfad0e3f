"""Finding files by their names, in channels that the asker is in."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from sqlalchemy import ColumnElement, and_, or_, select

from manor import Transaction
from manor_chat.domain.search_query import Query
from manor_chat.search.finding import Scope
from manor_chat.tables.posts import files


def find_files_of(
    transaction: Transaction, scope: Scope, query: Query, *, is_or: bool, offset: int, limit: int
) -> Sequence[Any]:
    """Rows of `chat_files` that posts carry, the newest first."""
    if query.is_impossible or query.is_empty or not scope.channels or scope.senders == ():
        return []
    conditions: list[ColumnElement[bool]] = [
        files.c.post_id.is_not(None),
        files.c.delete_at == 0,
        files.c.channel_id.in_(scope.channels),
    ]
    named = [files.c.name.icontains(term.text, autoescape=True) for term in query.terms]
    if named:
        conditions.append(or_(*named) if is_or else and_(*named))
    conditions += [~files.c.name.icontains(term.text, autoescape=True) for term in query.without]
    if scope.senders is not None:
        conditions.append(files.c.user_id.in_(scope.senders))
    if scope.not_senders:
        conditions.append(files.c.user_id.not_in(scope.not_senders))
    if query.extensions:
        conditions.append(files.c.extension.in_(query.extensions))
    if query.not_extensions:
        conditions.append(files.c.extension.not_in(query.not_extensions))
    if query.first is not None:
        conditions.append(files.c.create_at >= query.first)
    if query.last is not None:
        conditions.append(files.c.create_at < query.last)
    found = select(files).where(*conditions).order_by(files.c.create_at.desc(), files.c.id.desc())
    return transaction.connection.execute(found.offset(offset).limit(limit)).all()

"""How much there is."""

from __future__ import annotations

from sqlalchemy import func, select

from manor import Transaction, users_table
from manor_chat.tables.channels import channels


def count_posts(transaction: Transaction) -> int:
    """Posts that people wrote, by the totals that are kept with the channels."""
    query = select(func.coalesce(func.sum(channels.c.total_msg_count), 0))
    count: int = transaction.connection.execute(query).scalar_one()
    return count


def count_people(transaction: Transaction) -> int:
    """People who may sign in, bots not among them."""
    is_person = users_table.c.is_active & users_table.c.is_bot.is_(False) & users_table.c.is_system.is_(False)
    query = select(func.count()).select_from(users_table).where(is_person)
    return transaction.connection.execute(query).scalar_one()

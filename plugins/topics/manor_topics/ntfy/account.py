"""What ntfy's apps ask about the server and about themselves."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

import msgspec
from sqlalchemy import select

from manor import Principal, Transaction, find_user
from manor_topics.parts import Shared
from manor_topics.publish_store import day_of
from manor_topics.tables import daily


class Success(msgspec.Struct, frozen=True):
    """Yes."""

    success: Literal[True] = True


class Health(msgspec.Struct, frozen=True):
    """The server serves."""

    healthy: Literal[True] = True


class Config(msgspec.Struct, frozen=True):
    """What apps may offer: signing up, paying and the like are done elsewhere, or not at all."""

    base_url: str
    app_root: str = "/"
    enable_login: bool = False
    enable_signup: bool = False
    enable_payments: bool = False
    enable_reservations: bool = False
    enable_calls: bool = False
    enable_emails: bool = False
    enable_web_push: bool = False
    disallowed_topics: list[str] = []


class Limits(msgspec.Struct, frozen=True):
    """What somebody's plan allows; seconds, bytes, and 0 for what does not exist here."""

    messages: int
    messages_expiry_duration: int
    basis: Literal["tier"] = "tier"
    emails: int = 0
    calls: int = 0
    reservations: int = 0
    attachment_total_size: int = 0
    attachment_file_size: int = 0
    attachment_expiry_duration: int = 0
    attachment_bandwidth: int = 0


class Stats(msgspec.Struct, frozen=True):
    """What of it is used today."""

    messages: int
    messages_remaining: int
    emails: int = 0
    emails_remaining: int = 0
    calls: int = 0
    calls_remaining: int = 0
    reservations: int = 0
    reservations_remaining: int = 0
    attachment_total_size: int = 0
    attachment_total_size_remaining: int = 0


class Account(msgspec.Struct, frozen=True, omit_defaults=True):
    """Who asks: `*` is nobody that we know."""

    username: str
    role: Literal["anonymous", "user", "admin"]
    limits: Limits | None = None
    stats: Stats | None = None


NOBODY = Account("*", "anonymous")

MANY = 2_147_483_647
"""Stands for no limit."""


class Accounts:
    """Answers questions about who asks.

    Args:
        shared: What all parts use.
    """

    def __init__(self, shared: Shared) -> None:
        self._shared = shared

    def config(self) -> Config:
        """What apps may offer here."""
        context = self._shared.context
        return Config(base_url=context.link_url, enable_emails=context.mail.is_configured)

    async def of(self, principals: Sequence[Principal]) -> Account:
        """The account behind credentials; a topic's token is nobody's."""
        person = next((principal for principal in principals if principal.user_id is not None), None)
        if person is None or person.user_id is None:
            return NOBODY
        user_id = person.user_id
        payers = self._shared.payers
        payer = await payers.of_person(user_id)

        def work(transaction: Transaction) -> Account:
            user = find_user(transaction, user_id=user_id)
            if user is None:
                return NOBODY
            today = select(daily.c.messages).where(daily.c.payer_id == user_id, daily.c.day == day_of(transaction.now))
            used = transaction.connection.execute(today).scalar_one_or_none() or 0
            most = payers.limit("daily_messages", payer) or MANY
            retention = payers.retention(payer)
            return Account(
                user.username,
                "admin" if user.is_admin else "user",
                Limits(most, MANY if retention is None else int(retention.total_seconds())),
                Stats(used, max(0, most - used)),
            )

        return await self._shared.context.storage.read(work)

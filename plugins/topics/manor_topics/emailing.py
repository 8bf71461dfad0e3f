"""Messages that are mailed to whoever publishes them, too: to their own verified address, and to nobody else's."""

from __future__ import annotations

import re
from collections.abc import Callable
from uuid import UUID

from manor import Message, PluginContext, Rate, TooManyRequests, Transaction, find_user, fold_email
from manor_topics.config import TopicsConfig
from manor_topics.domain import Misfit
from manor_topics.drafts import Draft
from manor_topics.events import MessagePublished

MOST_AN_HOUR = 10
MOST_SUBJECT = 250

_COST = 6
_RATE = Rate(per_minute=1, burst=_COST * MOST_AN_HOUR)
"""Rates are by the minute: a mail costs six minutes' tokens, and an hour's are there at once."""

_OWN = frozenset({"yes", "true", "1"})
"""Words for one's own address."""

_NOT_IN_SUBJECT = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029]+")

Mailed = Callable[[Transaction, MessagePublished], None]
"""Has a published message mailed, in the transaction that publishes it."""


class Emailing:
    """Mails messages to their publishers.

    Args:
        context: The plugin's.
    """

    def __init__(self, context: PluginContext[TopicsConfig]) -> None:
        self._context = context

    async def check(self, asked: str, draft: Draft, user_id: UUID | None) -> Mailed:
        """See that a message may be mailed, and count it.

        Args:
            asked: The address, or `yes`.
            draft: The message.
            user_id: Who publishes it; None when nobody knows.

        Raises:
            Misfit: It may not: the address is not the publisher's own, the message is for later, or this server mails
                nothing.
            TooManyRequests: The publisher has had their mails of this hour.
        """
        if not self._context.mail.is_configured:
            raise Misfit("email", "is not possible here: this server mails no messages")
        if draft.delay is not None:
            raise Misfit("email", "is not possible together with a delay")
        address = None if user_id is None else await self._own_address(user_id)
        if address is None:
            raise Misfit("email", "goes to people with a verified address alone, who publish with their own credential")
        asked = asked.strip()
        if asked.lower() not in _OWN and fold_email(asked) != fold_email(address):
            raise Misfit("email", "goes to your own verified address alone")
        verdict = self._context.limits.take("topics mail", str(user_id), _RATE, cost=_COST)
        if not verdict.allowed:
            raise TooManyRequests(
                f"Too many mails: {MOST_AN_HOUR} an hour are allowed", retry_after=verdict.retry_after
            )

        def mail(transaction: Transaction, published: MessagePublished) -> None:
            self._context.mail.send(transaction, letter(published, address, user_id))

        return mail

    async def _own_address(self, user_id: UUID) -> str | None:
        user = await self._context.storage.read(lambda transaction: find_user(transaction, user_id=user_id))
        return user.email if user is not None and user.is_active and user.is_verified else None


def letter(published: MessagePublished, address: str, user_id: UUID | None) -> Message:
    """A message as mail: its title is the subject, without a title the beginning of its text."""
    subject = _NOT_IN_SUBJECT.sub(" ", published.title or published.message).strip()
    return Message(
        to=address,
        subject=subject[:MOST_SUBJECT].strip() or published.topic,
        text=f"{published.message}\n\n-- \nPublished to the topic {published.topic}.",
        kind="message",
        user_id=user_id,
    )

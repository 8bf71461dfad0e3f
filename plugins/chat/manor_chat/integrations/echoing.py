"""`/echo` with a delay: what is said later, over restarts."""

from __future__ import annotations

from datetime import timedelta
from uuid import UUID

import msgspec

from manor import Job, Principal, Transaction, Unauthorized
from manor_chat.http.api import SESSION
from manor_chat.ids import new_token, shown_id
from manor_chat.integrations.doing import Doing, Echo, refusal
from manor_chat.parts import Shared
from manor_chat.posts.checking import check_message
from manor_chat.posts.creating import NewPost, create_post
from manor_chat.rights import Rights
from manor_chat.store.channels import find_channel
from manor_chat.store.posts import find_post

MOST_OF_ONE = 10
MOST = 1000
"""Messages that are to be said later: of one person, and of all."""


class Later(msgspec.Struct, frozen=True):
    """Who says what where."""

    user_id: UUID
    channel_id: UUID
    root_id: UUID | None
    message: str


ECHO = Job("chat.echo", Later, attempts=3)


class Echoes:
    """Puts messages off, and says them.

    Args:
        shared: What all parts use.
    """

    def __init__(self, shared: Shared) -> None:
        self._shared = shared

    def put_off(self, doing: Doing, echo: Echo) -> None:
        """Have it said later.

        Raises:
            BadRequest: 400: it is too long, or too much waits already.
        """
        check_message(echo.message)
        whose = shown_id(doing.rights.user_id)
        waiting = self._shared.context.outbox.waiting(doing.transaction, ECHO)
        if len(waiting) >= MOST or sum(key.startswith(whose) for key in waiting) >= MOST_OF_ONE:
            raise refusal("High volume of echo requests, cannot process request.")
        later = Later(doing.rights.user_id, doing.channel.id, doing.root_id, echo.message)
        at = doing.transaction.now + timedelta(seconds=echo.seconds)
        # A key of its own: without one it would not be counted, and with that of another it would take its place.
        doing.transaction.defer(ECHO, later, at=at, key=f"{whose}:{new_token()}")

    async def say(self, later: Later) -> None:
        """Say it; nothing when whoever typed it may not write there any more."""
        await self._shared.storage.write(lambda transaction: self._say(transaction, later))

    def _say(self, transaction: Transaction, later: Later) -> None:
        channel = find_channel(transaction, later.channel_id)
        try:
            rights = Rights(transaction, Principal(SESSION, user_id=later.user_id))
        except Unauthorized:
            return
        if channel is None or channel.delete_at or not rights.may_in_channel("create_post", channel):
            return
        root = None if later.root_id is None else find_post(transaction, later.root_id)
        if later.root_id is not None and (root is None or root.delete_at):
            return
        new = NewPost(
            channel=channel,
            author=rights.person,
            message=later.message,
            root_id=later.root_id,
            may_call=rights.may_in_channel("use_channel_mentions", channel),
        )
        create_post(transaction, new, is_online=self._shared.presence.is_online)

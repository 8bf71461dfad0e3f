"""Outgoing webhooks at work: posts that trigger them, and what the other side answers.

Nobody who writes waits for any of it, and nothing is kept of it: each is tried once, as the API's servers do, for a
program that is told late or twice to do something may do harm. What is too much at once is not told at all.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import Any
from uuid import UUID

import msgspec
import trio

from manor import Refused, Transaction
from manor_chat.domain.post_types import is_system
from manor_chat.domain.triggers import trigger_word
from manor_chat.ids import shown_id
from manor_chat.integrations.calling import CallFailed, call
from manor_chat.integrations.outgoing import JSON
from manor_chat.integrations.posting import Spoken, in_our_words, speak
from manor_chat.parts import Shared
from manor_chat.store.channels import OPEN, Channel, find_channel
from manor_chat.store.hooks import OutgoingHook, find_outgoing, outgoing_for, teams_with_outgoing
from manor_chat.store.people import find_person
from manor_chat.store.posts import Post, find_post
from manor_chat.store.teams import find_team

SECONDS = 30.0
"""How long one address may take."""

AT_ONCE_OF_ONE = 4
WAITING_OF_ONE = 50
"""Calls of one webhook: those that run, and those that are not over. What comes on top of them is not told."""


class PostSeen(msgspec.Struct, frozen=True):
    """Of `chat.post_created`."""

    post_id: UUID
    team_id: UUID | None
    type: str


class HookAnswer(msgspec.Struct, frozen=True, kw_only=True):
    """What the other side says."""

    text: str | None = None
    username: str = ""
    icon_url: str = ""
    props: dict[str, Any] | None = None
    attachments: list[dict[str, Any]] | None = None
    type: str = ""
    response_type: str = ""


@dataclass(frozen=True)
class _Told:
    hook: OutgoingHook
    url: str
    payload: dict[str, Any]
    post_id: UUID

    @property
    def called(self) -> str:
        """The webhook, for the log."""
        return self.hook.display_name or shown_id(self.hook.id)


class Triggering:
    """Tells other servers of posts.

    Args:
        shared: What all parts use.
    """

    def __init__(self, shared: Shared) -> None:
        self._shared = shared
        self._teams: frozenset[UUID] | None = None
        self._changes = 0
        self._waiting: Counter[UUID] = Counter()
        self._turns: dict[UUID, trio.CapacityLimiter] = {}
        self._nursery: trio.Nursery | None = None

    def forget(self) -> None:
        """Webhooks were made, changed or removed: which teams have any is read anew."""
        self._teams = None
        self._changes += 1

    async def run(self, *, task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED) -> None:
        """Have calls made, until cancelled."""
        try:
            async with trio.open_nursery() as self._nursery:
                task_status.started()
                await trio.sleep_forever()
        finally:
            self._nursery = None

    async def hear(self, event: PostSeen) -> None:
        """Somebody wrote: see who is to be told."""
        if event.team_id is None or is_system(event.type) or not self._shared.config.outgoing_webhooks:
            return
        if self._nursery is None or event.team_id not in await self._teams_with_hooks():
            return
        for told in await self._shared.storage.read(lambda transaction: _triggered(transaction, event.post_id)):
            if self._waiting[told.hook.id] >= WAITING_OF_ONE:
                self._shared.context.log.warning("too many calls of an outgoing webhook", webhook=told.called)
                continue
            self._waiting[told.hook.id] += 1
            self._nursery.start_soon(self._tell, told)

    async def _tell(self, told: _Told) -> None:
        hook_id = told.hook.id
        try:
            async with self._turns.setdefault(hook_id, trio.CapacityLimiter(AT_ONCE_OF_ONE)):
                await self._exchange(told)
        finally:
            self._waiting[hook_id] -= 1
            if not self._waiting[hook_id]:
                del self._waiting[hook_id], self._turns[hook_id]

    async def _exchange(self, told: _Told) -> None:
        log = self._shared.context.log
        try:
            answer = await self._ask(told)
            if answer is not None:
                await self._shared.storage.write(lambda transaction: self._answered(transaction, told, answer))
        except CallFailed as failed:
            log.warning("an outgoing webhook failed", webhook=told.called, reason=str(failed))
        except Refused as refused:
            log.warning("an outgoing webhook's answer was refused", webhook=told.called, reason=refused.detail)

    async def _ask(self, told: _Told) -> HookAnswer | None:
        is_json = told.hook.content_type == JSON
        response = await call(
            self._shared.context.outgoing,
            "POST",
            told.url,
            json=told.payload if is_json else None,
            fields=None if is_json else {name: str(value) for name, value in told.payload.items()},
            seconds=SECONDS,
        )
        if not response.body.strip():
            return None
        try:
            return msgspec.json.decode(response.body, type=HookAnswer)
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
            # Many answer with a page or a word that is meant for nobody.
            return None

    def _answered(self, transaction: Transaction, told: _Told, answer: HookAnswer) -> None:
        """Post what the other side says, in the name of whoever made the webhook."""
        if not (answer.text or answer.attachments):
            return
        post, hook = find_post(transaction, told.post_id), find_outgoing(transaction, told.hook.id)
        if post is None or hook is None:
            return
        channel, author = find_channel(transaction, post.channel_id), find_person(transaction, hook.creator_id)
        if channel is None or author is None:
            return
        spoken = Spoken(
            text=answer.text or "",
            username=answer.username or hook.username,
            icon_url=answer.icon_url or hook.icon_url,
            attachments=answer.attachments or (),
            props=answer.props or {},
            type=answer.type,
            title=hook.display_name,
        )
        is_comment = answer.response_type == "comment"
        speak(
            transaction,
            channel,
            author,
            in_our_words(transaction, spoken),
            is_online=self._shared.presence.is_online,
            root_id=(post.root_id or post.id) if is_comment else None,
        )

    async def _teams_with_hooks(self) -> frozenset[UUID]:
        if self._teams is not None:
            return self._teams
        changes = self._changes
        found = await self._shared.storage.read(teams_with_outgoing)
        if changes == self._changes:
            self._teams = found
        return found


def _triggered(transaction: Transaction, post_id: UUID) -> list[_Told]:
    """What is told of a post: only of those in public channels, and of none that a webhook wrote."""
    post = find_post(transaction, post_id)
    channel = None if post is None else find_channel(transaction, post.channel_id)
    if post is None or channel is None or channel.team_id is None or channel.type != OPEN or post.delete_at:
        return []
    if "from_webhook" in post.props:
        return []
    hooks = [
        (hook, word)
        for hook in outgoing_for(transaction, channel.team_id, channel.id)
        if (word := _word(hook, post)) is not None
    ]
    if not hooks:
        return []
    told = _told_of(transaction, post, channel)
    return [
        _Told(hook, url, {"token": hook.token, **told, "trigger_word": word}, post.id)
        for hook, word in hooks
        for url in hook.callback_urls
    ]


def _word(hook: OutgoingHook, post: Post) -> str | None:
    """What the post triggers the webhook with; "" for one that wants to hear of all of its channel."""
    if not hook.trigger_words:
        return "" if hook.channel_id == post.channel_id else None
    return trigger_word(hook.trigger_words, hook.trigger_when, post.message)


def _told_of(transaction: Transaction, post: Post, channel: Channel) -> dict[str, Any]:
    person = find_person(transaction, post.user_id)
    team = None if channel.team_id is None else find_team(transaction, channel.team_id)
    return {
        "team_id": shown_id(channel.team_id),
        "team_domain": "" if team is None else team.name,
        "channel_id": shown_id(channel.id),
        "channel_name": channel.name,
        "timestamp": post.create_at,
        "user_id": shown_id(post.user_id),
        "user_name": "" if person is None else person.handle,
        "post_id": shown_id(post.id),
        "text": post.message,
        "file_ids": ",".join(post.file_ids),
    }

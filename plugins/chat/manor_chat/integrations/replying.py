"""What slash commands answer, as posts."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any
from uuid import UUID

from manor import Forbidden, NotFound, Principal, Transaction, Unauthorized, new_id
from manor_chat import faults
from manor_chat.domain.attachments import with_action_ids
from manor_chat.domain.post_types import EPHEMERAL
from manor_chat.http.api import SESSION
from manor_chat.ids import new_token, read_ids
from manor_chat.integrations.command_answers import MOST_EXTRA, CommandResponse
from manor_chat.integrations.posting import Spoken, checked_type, in_our_words, props_of, speak
from manor_chat.posts.notifying import IsOnline
from manor_chat.posts.sending import tell_ephemeral
from manor_chat.rights import Rights
from manor_chat.store.channels import Channel, find_channel, find_member
from manor_chat.store.commands import CommandReply, SlashCommand, find_command, find_reply, use_reply
from manor_chat.store.people import Person
from manor_chat.store.posts import Post
from manor_chat.times import to_milliseconds

Seal = Callable[[Post], Post]
"""Gives the buttons of a post that is not kept what they need to be pressed."""


@dataclass(frozen=True)
class Place:
    """Who typed a command, and where.

    Args:
        channel: Where.
        person: Who.
        root_id: The thread.
    """

    channel: Channel
    person: Person
    root_id: UUID | None = None


@dataclass(frozen=True)
class Saying:
    """How answers become posts.

    Args:
        is_online: Whether somebody is there now, for `@here`.
        seal: See `Seal`.
    """

    is_online: IsOnline
    seal: Seal

    def say(self, transaction: Transaction, place: Place, response: CommandResponse, command: SlashCommand) -> None:
        """Say what a command of a team's answered, and what it says besides.

        Raises:
            BadRequest: 400: it has the type of a post of the server's, or says too much.
            Forbidden: 403: it wants to speak where whoever typed the command is not.
        """
        for each in (response, *(response.extra_responses or ())[:MOST_EXTRA]):
            self._say(transaction, place, each, command)

    def tell(self, transaction: Transaction, place: Place, text: str, props: dict[str, Any] | None = None) -> None:
        """Show a text to whoever typed the command, alone."""
        if not text and not props:
            return
        now = to_milliseconds(transaction.now)
        post = Post(
            id=new_id(),
            channel_id=place.channel.id,
            user_id=place.person.id,
            root_id=place.root_id,
            create_at=now,
            update_at=now,
            type=EPHEMERAL,
            message=text,
            props=with_action_ids(props or {}, new_token),
        )
        tell_ephemeral(transaction, place.person.id, self.seal(post))

    def reply_later(self, transaction: Transaction, reply_id: UUID, response: CommandResponse) -> None:
        """Say what a command says some time after it was typed.

        Raises:
            NotFound: 404: that was too long ago, or there never was such a command.
            BadRequest: 400: that was too often, or see `say`.
            Forbidden: 403: whoever typed it may not any more.
        """
        reply = find_reply(transaction, reply_id)
        command = None if reply is None else find_command(transaction, reply.command_id)
        if reply is None or command is None:
            raise NotFound("Couldn't find the command.", code="web.command_webhook.invalid.app_error")
        if not use_reply(transaction, reply_id):
            raise faults.bad_value("web.command_webhook.invalid.app_error", "This address was used too often.")
        self.say(transaction, place_of(transaction, reply), response, command)

    def _say(self, transaction: Transaction, place: Place, response: CommandResponse, command: SlashCommand) -> None:
        spoken = Spoken(
            text=response.text,
            username=command.username or response.username or None,
            icon_url=command.icon_url or response.icon_url,
            attachments=response.attachments or (),
            props=response.props or {},
            type=response.type,
        )
        checked_type(spoken)
        if not response.skip_slack_parsing:
            spoken = in_our_words(transaction, spoken)
        place = _place(transaction, place, response.channel_id)
        if not response.says_something:
            return
        if response.is_for_all:
            speak(
                transaction,
                place.channel,
                place.person,
                spoken,
                is_online=self.is_online,
                root_id=place.root_id,
                set_online=True,
            )
        else:
            props = props_of(spoken) | ({"attachments": list(spoken.attachments)} if spoken.attachments else {})
            self.tell(transaction, place, spoken.text, props)


def place_of(transaction: Transaction, reply: CommandReply) -> Place:
    """Where a command answers, as it is by now.

    Raises:
        NotFound: 404: the channel is gone.
        Forbidden: 403: whoever typed the command may not there any more.
    """
    try:
        rights = Rights(transaction, Principal(SESSION, user_id=reply.user_id))
    except Unauthorized as error:
        raise faults.no_permission() from error
    channel = rights.channel(reply.channel_id)
    rights.require_in_channel("use_slash_commands", channel)
    return Place(channel, rights.person, reply.root_id)


def _place(transaction: Transaction, place: Place, channel_id: str) -> Place:
    """Where an answer goes that names a channel: one that whoever typed the command is in."""
    if not channel_id:
        return place
    channel = next((find_channel(transaction, each) for each in read_ids([channel_id])), None)
    if channel is None or find_member(transaction, channel.id, place.person.id) is None:
        raise Forbidden(
            "The command answers where you are not.", code="api.command.execute_command.create_post_failed.app_error"
        )
    return place if channel.id == place.channel.id else replace(place, channel=channel, root_id=None)

"""Coming into a channel and leaving it: the row, what is told, and the post that says so."""

from __future__ import annotations

from collections.abc import Sequence
from uuid import UUID

from sqlalchemy import delete, update

from manor import Transaction
from manor_chat.domain import post_types
from manor_chat.events import ChannelMemberChanged
from manor_chat.ids import shown_id
from manor_chat.posts.creating import NewPost, create_post
from manor_chat.store.channels import Channel, ChannelMember, add_members, find_member
from manor_chat.store.people import Person
from manor_chat.tables.channels import channel_members
from manor_chat.tables.posts import thread_members
from manor_chat.telling import tell
from manor_chat.times import to_milliseconds


def join_channel(
    transaction: Transaction,
    channel: Channel,
    person: Person,
    *,
    by: Person | None = None,
    is_said: bool = True,
    root_id: UUID | None = None,
) -> ChannelMember:
    """Have somebody in a channel; whoever is in it already stays as they are.

    Args:
        transaction: The caller's.
        channel: Which.
        person: Who.
        by: Who added them; None for themselves.
        is_said: Whether a post says so.
        root_id: The post that this one answers.

    Raises:
        BadRequest: 400: nothing in this channel can be answered by that id.
    """
    known = find_member(transaction, channel.id, person.id)
    if known is not None:
        return known
    (member,) = seat(transaction, channel, [person.id])
    data = {"user_id": shown_id(person.id), "team_id": shown_id(channel.team_id)}
    tell(transaction, "user_added", data, channel_id=channel.id)
    if is_said:
        say_joined(transaction, channel, person, by, root_id=root_id)
    return member


def seat(
    transaction: Transaction, channel: Channel, user_ids: Sequence[UUID], *, is_admin: bool = False
) -> Sequence[ChannelMember]:
    """Put people into a channel who are not in it, with nothing unread; says nothing of it.

    Args:
        transaction: The caller's.
        channel: Which.
        user_ids: Who.
        is_admin: Whether they lead it.
    """
    now = to_milliseconds(transaction.now)
    new = [
        ChannelMember(
            channel_id=channel.id,
            user_id=user_id,
            is_admin=is_admin,
            joined_at=now,
            last_viewed_at=now,
            last_update_at=now,
            msg_count=channel.total_msg_count,
            msg_count_root=channel.total_msg_count_root,
        )
        for user_id in user_ids
    ]
    add_members(transaction, new)
    for user_id in user_ids:
        transaction.emit(ChannelMemberChanged(channel_id=channel.id, user_id=user_id, is_member=True))
    return new


def say_joined(
    transaction: Transaction, channel: Channel, person: Person, by: Person | None, *, root_id: UUID | None = None
) -> None:
    """The post that tells a channel who came."""
    if by is None or by.id == person.id:
        text, kind, author = f"{person.handle} joined the channel.", post_types.JOIN_CHANNEL, person
        props = {"username": person.handle}
    else:
        text, kind, author = f"{person.handle} added to the channel by {by.handle}.", post_types.ADD_TO_CHANNEL, by
        props = {
            "userId": shown_id(by.id),
            "username": by.handle,
            "addedUserId": shown_id(person.id),
            "addedUsername": person.handle,
        }
    new = NewPost(channel=channel, author=author, message=text, type=kind, props=props, root_id=root_id)
    create_post(transaction, new)


def leave_channel(
    transaction: Transaction, channel: Channel, person: Person, *, by: Person | None = None, is_said: bool = True
) -> bool:
    """Have somebody out of a channel; False when they were not in it.

    Args:
        transaction: The caller's.
        channel: Which; whether it may be left was checked.
        person: Who.
        by: Who removed them; None for themselves.
        is_said: Whether a post says so.
    """
    mine = (channel_members.c.channel_id == channel.id) & (channel_members.c.user_id == person.id)
    if not transaction.connection.execute(delete(channel_members).where(mine)).rowcount:
        return False
    theirs = (thread_members.c.channel_id == channel.id) & (thread_members.c.user_id == person.id)
    transaction.connection.execute(update(thread_members).where(theirs).values(following=False))
    remover = person if by is None else by
    if is_said and not channel.delete_at:
        _say_left(transaction, channel, person, remover)
    remover_id = shown_id(remover.id)
    tell(transaction, "user_removed", {"user_id": shown_id(person.id), "remover_id": remover_id}, channel_id=channel.id)
    transaction.emit(ChannelMemberChanged(channel_id=channel.id, user_id=person.id, is_member=False))
    tell(
        transaction,
        "user_removed",
        {"channel_id": shown_id(channel.id), "remover_id": remover_id},
        user_id=person.id,
    )
    return True


def _say_left(transaction: Transaction, channel: Channel, person: Person, remover: Person) -> None:
    if remover.id == person.id:
        text, kind, props = f"{person.handle} left the channel.", post_types.LEAVE_CHANNEL, {"username": person.handle}
    else:
        text, kind = f"{person.handle} was removed from the channel.", post_types.REMOVE_FROM_CHANNEL
        props = {"removedUserId": shown_id(person.id), "removedUsername": person.handle}
    create_post(transaction, NewPost(channel=channel, author=remover, message=text, type=kind, props=props))

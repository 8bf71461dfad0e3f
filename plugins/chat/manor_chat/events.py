"""What chat tells: to its own sockets, and to other plugins."""

from __future__ import annotations

from typing import ClassVar, Literal
from uuid import UUID

from manor import Event


class Told(Event, frozen=True):
    """An event of the WebSocket, as its transaction said it: encoded once, and sent to whom it concerns.

    Of `user_id`, `channel_id` and `team_id` the first that is set says who hears it: that person, the members of the
    channel, those of the team; with none of them everybody does.

    Args:
        event: The API's name for it, such as `posted`.
        data: Its `data`, a JSON object in UTF-8.
        user_id: Only this person.
        channel_id: The members of this channel.
        team_id: The members of this team.
        omit_users: Those who are left out.
        omit_connection: A connection that is left out: the one that caused it.
        audience: `admins` hear what is sensitive, `others` the same without it.
        mentions: Who is mentioned: each of them hears `"mentions": "[\\"their id\\"]"` in the data, nobody else's.
        followers: As `mentions`, of those who follow the thread.
    """

    name: ClassVar[str] = "chat.told"
    event: str
    data: bytes
    user_id: UUID | None = None
    channel_id: UUID | None = None
    team_id: UUID | None = None
    omit_users: tuple[UUID, ...] = ()
    omit_connection: str = ""
    audience: Literal["all", "admins", "others"] = "all"
    mentions: tuple[UUID, ...] = ()
    followers: tuple[UUID, ...] = ()


class ChannelMemberChanged(Event, frozen=True):
    """Somebody came into a channel or left it."""

    name: ClassVar[str] = "chat.channel_member_changed"
    channel_id: UUID
    user_id: UUID
    is_member: bool


class PostCreated(Event, frozen=True):
    """Somebody wrote in a channel. `team_id` is None in direct and group channels."""

    name: ClassVar[str] = "chat.post_created"
    post_id: UUID
    channel_id: UUID
    team_id: UUID | None
    user_id: UUID
    root_id: UUID | None
    type: str


class PostEdited(Event, frozen=True):
    """A post says something else now."""

    name: ClassVar[str] = "chat.post_edited"
    post_id: UUID
    channel_id: UUID


class PostDeleted(Event, frozen=True):
    """A post is gone, and its replies with it."""

    name: ClassVar[str] = "chat.post_deleted"
    post_id: UUID
    channel_id: UUID


class Imported(Event, frozen=True):
    """Posts, people and channels came in from another server; of each alone nothing is told.

    Args:
        posts: How many posts.
    """

    name: ClassVar[str] = "chat.imported"
    posts: int


EVENTS: tuple[type[Event], ...] = (Told, ChannelMemberChanged, PostCreated, PostEdited, PostDeleted, Imported)

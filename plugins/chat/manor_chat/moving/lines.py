"""The bulk format, version 1, as Mattermost writes and reads it: one JSON object a line, `type` says what it is.

A member that is left out, or null, says nothing. Members that we do not know are passed over.
"""

from __future__ import annotations

from typing import Any

import msgspec

from manor_chat.times import Moment

FORMAT_VERSION = 1


class _Said(msgspec.Struct, kw_only=True, omit_defaults=True):
    """What a line says; what it does not say is not written either."""


class InfoSaid(_Said, kw_only=True):
    """Who wrote the file."""

    generator: str = ""
    version: str = ""
    created: str = ""


class TeamSaid(_Said, kw_only=True):
    """A team; `type` is O or I."""

    name: str
    display_name: str | None = None
    type: str | None = None
    description: str | None = None
    allow_open_invite: bool | None = None
    scheme: str | None = None


class ChannelSaid(_Said, kw_only=True):
    """A channel of a team; `type` is O or P. `deleted_at` is when it was archived."""

    team: str
    name: str
    display_name: str | None = None
    type: str | None = None
    header: str | None = None
    purpose: str | None = None
    scheme: str | None = None
    deleted_at: Moment | None = None


class HearingSaid(_Said, kw_only=True):
    """How somebody hears of a channel."""

    desktop: str | None = None
    mobile: str | None = None
    mark_unread: str | None = None
    email: str | None = None
    ignore_channel_mentions: str | None = None
    channel_auto_follow_threads: str | None = None


class InChannelSaid(_Said, kw_only=True):
    """Somebody's part in a channel."""

    name: str
    roles: str | None = None
    notify_props: HearingSaid | None = None
    favorite: bool | None = None


class InTeamSaid(_Said, kw_only=True):
    """Somebody's part in a team."""

    name: str
    roles: str | None = None
    theme: str | None = None
    channels: list[InChannelSaid] | None = None


class NotifySaid(_Said, kw_only=True):
    """How somebody hears of anything."""

    desktop: str | None = None
    desktop_sound: str | None = None
    email: str | None = None
    mobile: str | None = None
    mobile_push_status: str | None = None
    channel: str | None = None
    comments: str | None = None
    mention_keys: str | None = None


class UserSaid(_Said, kw_only=True):
    """A person. Those members that are preferences stand in `moving.preferences`."""

    username: str
    email: str | None = None
    profile_image: str | None = None
    auth_service: str | None = None
    auth_data: str | None = None
    password: str | None = None
    nickname: str | None = None
    first_name: str | None = None
    last_name: str | None = None
    position: str | None = None
    roles: str | None = None
    locale: str | None = None
    delete_at: Moment | None = None
    teams: list[InTeamSaid] | None = None
    theme: str | None = None
    military_time: str | None = None
    link_previews: str | None = None
    message_display: str | None = None
    collapse_consecutive_messages: str | None = None
    colorize_usernames: str | None = None
    channel_display_mode: str | None = None
    name_format: str | None = None
    tutorial_step: str | None = None
    email_interval: str | None = None
    feature_enabled_markdown_preview: str | None = None
    formatting: str | None = None
    send_on_ctrl_enter: str | None = None
    code_block_ctrl_enter: str | None = None
    show_join_leave: str | None = None
    show_unread_scroll_position: str | None = None
    sync_drafts: str | None = None
    show_unread_section: str | None = None
    limit_visible_dms_gms: str | None = None
    notify_props: NotifySaid | None = None
    custom_status: dict[str, Any] | None = None

    def __repr__(self) -> str:
        """Without the password, whatever log or traceback it lands in."""
        return f"UserSaid(username={self.username!r})"


class BotSaid(_Said, kw_only=True):
    """A bot; `owner` is a username, or the id of a plugin."""

    username: str
    owner: str | None = None
    display_name: str | None = None
    description: str | None = None
    profile_image: str | None = None
    delete_at: Moment | None = None


class EmojiSaid(_Said, kw_only=True):
    """A custom emoji; `image` is the path of its picture."""

    name: str
    image: str | None = None


class ReactionSaid(_Said, kw_only=True):
    """A reaction to the post it stands in."""

    user: str
    emoji_name: str
    create_at: Moment


class AttachmentSaid(_Said, kw_only=True):
    """A file of the post it stands in."""

    path: str


class FollowerSaid(_Said, kw_only=True):
    """Somebody who follows the thread of the post it stands in."""

    user: str
    last_viewed: Moment | None = None


class ReplySaid(_Said, kw_only=True):
    """A reply, in the post that it answers."""

    user: str
    create_at: Moment
    message: str | None = None
    type: str | None = None
    props: dict[str, Any] | None = None
    edit_at: Moment | None = None
    is_pinned: bool | None = None
    flagged_by: list[str] | None = None
    reactions: list[ReactionSaid] | None = None
    attachments: list[AttachmentSaid] | None = None


class RootSaid(ReplySaid, kw_only=True):
    """What a post of a team's channel and one of people's have in common."""

    replies: list[ReplySaid] | None = None
    thread_followers: list[FollowerSaid] | None = None


class PostSaid(RootSaid, kw_only=True):
    """A post in a channel of a team."""

    team: str
    channel: str


class DirectPostSaid(RootSaid, kw_only=True):
    """A post in a direct or group channel, which is known by its people."""

    channel_members: list[str]


class ParticipantSaid(_Said, kw_only=True):
    """Somebody's part in a direct or group channel, as newer servers write it."""

    username: str


class DirectChannelSaid(_Said, kw_only=True):
    """A direct or group channel."""

    members: list[str] | None = None
    participants: list[ParticipantSaid] | None = None
    favorited_by: list[str] | None = None
    shown_by: list[str] | None = None
    header: str | None = None

    @property
    def people(self) -> list[str]:
        """Who is in it."""
        return self.members or [each.username for each in self.participants or ()]


class Line(_Said, kw_only=True):
    """One line. The member that is called what `type` says is what it is about."""

    type: str
    version: int | None = None
    info: InfoSaid | None = None
    team: TeamSaid | None = None
    channel: ChannelSaid | None = None
    user: UserSaid | None = None
    bot: BotSaid | None = None
    emoji: EmojiSaid | None = None
    post: PostSaid | None = None
    direct_channel: DirectChannelSaid | None = None
    direct_post: DirectPostSaid | None = None


class Kind(msgspec.Struct):
    """What a line is about, without reading the rest of it."""

    type: str
    version: int | None = None


KNOWN = frozenset({"version", "team", "channel", "user", "bot", "emoji", "post", "direct_channel", "direct_post"})
NOT_CARRIED = frozenset({"role", "scheme"})
"""Manor has fixed roles."""

read_kind = msgspec.json.Decoder(Kind).decode
read_line = msgspec.json.Decoder(Line).decode
write_line = msgspec.json.Encoder().encode

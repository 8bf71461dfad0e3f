"""Types of posts."""

from __future__ import annotations

NORMAL = ""
ME = "me"
EPHEMERAL = "system_ephemeral"
JOIN_CHANNEL = "system_join_channel"
LEAVE_CHANNEL = "system_leave_channel"
ADD_TO_CHANNEL = "system_add_to_channel"
REMOVE_FROM_CHANNEL = "system_remove_from_channel"
JOIN_TEAM = "system_join_team"
LEAVE_TEAM = "system_leave_team"
ADD_TO_TEAM = "system_add_to_team"
REMOVE_FROM_TEAM = "system_remove_from_team"
HEADER_CHANGE = "system_header_change"
DISPLAY_NAME_CHANGE = "system_displayname_change"
PURPOSE_CHANGE = "system_purpose_change"
CONVERT_CHANNEL = "system_convert_channel"
CHANNEL_DELETED = "system_channel_deleted"
CHANNEL_RESTORED = "system_channel_restored"
SLACK_ATTACHMENT = "slack_attachment"

COMINGS_AND_GOINGS = frozenset(
    {
        JOIN_CHANNEL, LEAVE_CHANNEL, ADD_TO_CHANNEL, REMOVE_FROM_CHANNEL,
        JOIN_TEAM, LEAVE_TEAM, ADD_TO_TEAM, REMOVE_FROM_TEAM,
    }
)  # fmt: skip


def is_system(post_type: str) -> bool:
    """Whether the server wrote it."""
    return post_type.startswith("system_")


def is_counted(post_type: str) -> bool:
    """Whether it makes a channel unread: comings and goings do not."""
    return post_type not in COMINGS_AND_GOINGS


def may_be_sent(post_type: str) -> bool:
    """Whether a client may make a post of this type."""
    return post_type in (NORMAL, ME, SLACK_ATTACHMENT) or post_type.startswith("custom_")

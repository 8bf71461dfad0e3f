"""What changes about a channel: how it is called, what it says of itself, whether it is public, whether it is archived.

Each change is told, and said by a post of its own, as clients show them.
"""

from __future__ import annotations

from collections.abc import Mapping
from uuid import UUID

import msgspec
from sqlalchemy import select

from manor import Forbidden, Transaction
from manor_chat import faults
from manor_chat.channels.making import check, check_free
from manor_chat.domain import post_types
from manor_chat.domain.channel_rules import misfit_of
from manor_chat.ids import shown_id
from manor_chat.posts.creating import NewPost, create_post
from manor_chat.rights import Rights
from manor_chat.store.channels import OPEN, PRIVATE, Channel, change_channel, find_channel
from manor_chat.store.threads import unfollow_from_outside
from manor_chat.tables.channels import channels
from manor_chat.telling import as_text, tell
from manor_chat.times import to_milliseconds
from manor_chat.wire.channels import show_channel


class Changes(msgspec.Struct, frozen=True, kw_only=True):
    """What is to be different; None stays as it is."""

    name: str | None = None
    display_name: str | None = None
    header: str | None = None
    purpose: str | None = None

    def to(self, channel: Channel) -> dict[str, str]:
        """What would be different about this channel."""
        wanted = {name: getattr(self, name) for name in Changes.__struct_fields__}
        return {name: text for name, text in wanted.items() if text is not None and text != getattr(channel, name)}


def change(transaction: Transaction, rights: Rights, channel_id: UUID, changes: Changes) -> Channel:
    """Change what a channel is called and says of itself.

    Raises:
        NotFound: 404: there is no such channel.
        Forbidden: 403: they may not.
        BadRequest: 400: it is archived, or cannot be called so.
    """
    channel = rights.channel(channel_id)
    _require_to_manage(rights, channel)
    if channel.delete_at:
        raise faults.bad_value(
            "api.channel.update_channel.deleted.app_error", "The channel has been archived or deleted."
        )
    wanted = changes.to(channel)
    if channel.is_of_people and wanted.keys() - {"header"}:
        raise faults.bad_value(
            "api.channel.update_channel.update_direct_or_group_messages_not_allowed.app_error",
            "You are not allowed to update name, display_name or purpose of direct or group messages.",
        )
    if channel.is_default and "name" in wanted:
        raise faults.bad_value(
            "api.channel.update_channel.tried.app_error", f"The default channel {channel.name} keeps its name."
        )
    if not wanted:
        return channel
    check(misfit_of(wanted))
    if channel.team_id is not None and "name" in wanted:
        check_free(transaction, channel.team_id, wanted["name"])
    changed = change_channel(transaction, channel, **wanted, update_at=to_milliseconds(transaction.now))
    _say_changes(transaction, rights, channel, changed)
    changed = find_channel(transaction, channel.id) or changed
    tell(transaction, "channel_updated", {"channel": as_text(show_channel(changed))}, channel_id=channel.id)
    return changed


def convert(transaction: Transaction, rights: Rights, channel_id: UUID, kind: str) -> Channel:
    """Make a public channel private, or a private one public.

    Args:
        transaction: The caller's.
        rights: Of whoever asks.
        channel_id: Which channel.
        kind: O or P.

    Raises:
        NotFound: 404: there is no such channel.
        Forbidden: 403: they may not.
        BadRequest: 400: it is archived, the team's default channel, or a channel of people.
    """
    channel = rights.channel(channel_id)
    way = "convert_private_channel_to_public" if kind == OPEN else "convert_public_channel_to_private"
    rights.require_in_channel(way, channel)
    if channel.is_of_people:
        raise faults.bad_value("api.channel.update_channel.typechange.app_error", "This is no channel of a team.")
    if channel.is_default and kind == PRIVATE:
        raise faults.bad_value(
            "api.channel.update_channel_privacy.default_channel_error", "The default channel cannot be made private."
        )
    if channel.delete_at:
        raise faults.bad_value("api.channel.update_channel.deleted.app_error", "The channel has been archived.")
    if channel.type == kind:
        return channel
    changed = change_channel(transaction, channel, type=kind, update_at=to_milliseconds(transaction.now))
    if kind == PRIVATE:
        unfollow_from_outside(transaction, select(channels.c.id).where(channels.c.id == channel.id))
    called = "a public channel that the team may join" if kind == OPEN else "a private channel"
    text = f"{rights.person.handle} made this {called}."
    _say(transaction, rights, changed, post_types.CONVERT_CHANNEL, text)
    changed = find_channel(transaction, channel.id) or changed
    tell(transaction, "channel_updated", {"channel": as_text(show_channel(changed))}, channel_id=channel.id)
    tell(transaction, "channel_converted", {"channel_id": shown_id(channel.id)}, team_id=channel.team_id)
    return changed


def archive(transaction: Transaction, rights: Rights, channel_id: UUID) -> None:
    """Close a channel: it can be read and no longer be written in.

    Raises:
        NotFound: 404: there is no such channel.
        Forbidden: 403: they may not.
        BadRequest: 400: it is archived, the team's default channel, or a channel of people.
    """
    channel = rights.channel(channel_id)
    rights.require_in_channel(f"delete_{_kind(channel)}_channel", channel)
    if channel.is_of_people:
        raise faults.bad_value("api.channel.delete_channel.type.invalid", "Direct and group channels stay.")
    if channel.delete_at:
        raise faults.bad_value("api.channel.delete_channel.deleted.app_error", "The channel is archived already.")
    if channel.is_default:
        raise faults.bad_value(
            "api.channel.delete_channel.cannot.app_error", f"The default channel {channel.name} cannot be archived."
        )
    _say(
        transaction,
        rights,
        channel,
        post_types.CHANNEL_DELETED,
        f"{rights.person.handle} archived the channel.",
    )
    now = to_milliseconds(transaction.now)
    change_channel(transaction, channel, delete_at=now, update_at=now)
    _tell_team(transaction, channel, "channel_deleted", {"channel_id": shown_id(channel.id), "delete_at": now})


def restore(transaction: Transaction, rights: Rights, channel_id: UUID) -> Channel:
    """Open an archived channel again.

    Raises:
        NotFound: 404: there is no such channel.
        Forbidden: 403: they may not.
        BadRequest: 400: it is not archived.
    """
    channel = rights.channel(channel_id)
    if channel.team_id is None:
        raise faults.no_permission()
    rights.require_in_team("manage_team", channel.team_id)
    rights.readable_channel(channel.id)
    if not channel.delete_at:
        raise faults.bad_value("api.channel.restore_channel.restored.app_error", "The channel is not archived.")
    now = to_milliseconds(transaction.now)
    opened = change_channel(transaction, channel, delete_at=0, update_at=now)
    _tell_team(transaction, channel, "channel_restored", {"channel_id": shown_id(channel.id)})
    _say(
        transaction,
        rights,
        opened,
        post_types.CHANNEL_RESTORED,
        f"{rights.person.handle} opened the channel again.",
    )
    return find_channel(transaction, channel.id) or opened


def _kind(channel: Channel) -> str:
    return "public" if channel.type == OPEN else "private"


def _require_to_manage(rights: Rights, channel: Channel) -> None:
    if channel.is_of_people:
        # No permission is about these: whoever is in one may.
        if rights.member(channel.id) is None and not rights.may("manage_system"):
            raise Forbidden(
                "You do not have the appropriate permissions.",
                code="api.channel.patch_update_channel.forbidden.app_error",
            )
        return
    rights.require_in_channel(f"manage_{_kind(channel)}_channel_properties", channel)


_SAID = {
    "display_name": (post_types.DISPLAY_NAME_CHANGE, "displayname", "display name"),
    "header": (post_types.HEADER_CHANGE, "header", "header"),
    "purpose": (post_types.PURPOSE_CHANGE, "purpose", "purpose"),
}
"""By member: the type of the post that says it changed, what its props are called after, and its name for people."""


def _say_changes(transaction: Transaction, rights: Rights, old: Channel, new: Channel) -> None:
    for name, (kind, prop, called) in _SAID.items():
        before, after = getattr(old, name), getattr(new, name)
        if before == after:
            continue
        if not after:
            text = f"{rights.person.handle} removed the channel's {called}, which was: {before}"
        elif before:
            text = f"{rights.person.handle} changed the channel's {called} from: {before} to: {after}"
        else:
            text = f"{rights.person.handle} gave the channel the {called}: {after}"
        _say(transaction, rights, new, kind, text, {f"old_{prop}": before, f"new_{prop}": after})


def _say(
    transaction: Transaction,
    rights: Rights,
    channel: Channel,
    kind: str,
    text: str,
    props: Mapping[str, str] | None = None,
) -> None:
    more = {"username": rights.person.handle, **(props or {})}
    create_post(transaction, NewPost(channel=channel, author=rights.person, message=text, type=kind, props=more))


def _tell_team(transaction: Transaction, channel: Channel, event: str, data: Mapping[str, str | int]) -> None:
    """Tell the team of what is public, and the members of what is not."""
    if channel.type == OPEN:
        tell(transaction, event, data, team_id=channel.team_id)
    else:
        tell(transaction, event, data, channel_id=channel.id)

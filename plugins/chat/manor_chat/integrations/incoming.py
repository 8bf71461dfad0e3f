"""Incoming webhooks: keeping them, and posting what comes by them."""

from __future__ import annotations

import re
from typing import Any
from uuid import UUID, uuid4

import msgspec

from manor import Forbidden, NotFound, Principal, Transaction, Unauthorized
from manor_chat import faults
from manor_chat.channels.making import open_direct
from manor_chat.domain.callbacks import is_web_address
from manor_chat.http.api import SESSION
from manor_chat.ids import read_ids
from manor_chat.integrations.keeping import INCOMING, check_stays
from manor_chat.integrations.posting import Spoken, in_our_words, speak
from manor_chat.posts.notifying import IsOnline
from manor_chat.rights import Rights
from manor_chat.store.channels import OPEN, Channel, find_channel, find_channel_by_name, find_member
from manor_chat.store.hooks import IncomingHook, add_incoming, change_incoming, find_incoming
from manor_chat.store.people import Person, find_person, find_person_by_name
from manor_chat.store.teams import is_active
from manor_chat.times import to_milliseconds

_USERNAME = re.compile(r"[a-zA-Z0-9._-]{1,64}")
_LONGEST = {"display_name": 64, "description": 500, "icon_url": 1024}


class WantedIncoming(msgspec.Struct, frozen=True, kw_only=True):
    """An incoming webhook as somebody wants it; without `channel_locked` one that is there stays locked, or not."""

    id: str = ""
    user_id: str = ""
    channel_id: str = ""
    team_id: str = ""
    display_name: str = ""
    description: str = ""
    username: str = ""
    icon_url: str = ""
    channel_locked: bool | None = None


class Delivered(msgspec.Struct, frozen=True, kw_only=True):
    """What came by a webhook."""

    text: str | None = None
    username: str | None = None
    icon_url: str | None = None
    icon_emoji: str | None = None
    channel: str | None = None
    attachments: list[dict[str, Any]] | None = None
    props: dict[str, Any] | None = None
    type: str | None = None


# --- Keeping -------------------------------------------------------------------------------------------------------


def make(
    transaction: Transaction, rights: Rights, wanted: WantedIncoming, channel_id: UUID, user_id: UUID
) -> IncomingHook:
    """Make an incoming webhook for a channel.

    Args:
        transaction: The caller's.
        rights: Of whoever asks.
        wanted: How it is to be.
        channel_id: Where it posts.
        user_id: In whose name.

    Raises:
        BadRequest: 400: it cannot be so.
        NotFound: 404: there is no such channel or person.
        Forbidden: 403: they may not.
    """
    channel = rights.channel(channel_id)
    team_id = _team_of(channel)
    INCOMING.require(rights, team_id, rights.user_id)
    _require_to_read(rights, channel)
    INCOMING.require_to_speak_for(transaction, rights, team_id, user_id)
    _check(wanted)
    now = to_milliseconds(transaction.now)
    # Not one of our sorted ids: it opens something, so all of it is drawn at random.
    hook = IncomingHook(
        id=uuid4(),
        create_at=now,
        update_at=now,
        user_id=user_id,
        channel_id=channel_id,
        team_id=team_id,
        channel_locked=bool(wanted.channel_locked),
        **_described(wanted),
    )
    add_incoming(transaction, hook)
    return hook


def change(
    transaction: Transaction, rights: Rights, hook_id: UUID, wanted: WantedIncoming, channel_id: UUID
) -> IncomingHook:
    """Have an incoming webhook otherwise.

    Raises:
        BadRequest: 400: it cannot be so, or it would belong to another team.
        NotFound: 404: there is no such webhook or channel.
        Forbidden: 403: they may not.
    """
    hook = managed(transaction, rights, hook_id)
    check_stays(hook.team_id, wanted.team_id)
    channel = rights.channel(channel_id)
    if channel.team_id != hook.team_id:
        raise faults.bad_body_param("channel_id")
    _require_to_read(rights, channel)
    _check(wanted)
    is_locked = hook.channel_locked if wanted.channel_locked is None else wanted.channel_locked
    return change_incoming(transaction, hook, channel_id=channel_id, channel_locked=is_locked, **_described(wanted))


def managed(transaction: Transaction, rights: Rights, hook_id: UUID) -> IncomingHook:
    """An incoming webhook that the caller may look at and remove.

    Raises:
        NotFound: 404: there is none.
        Forbidden: 403: they may not.
    """
    hook = _managed(transaction, rights, hook_id)
    channel = find_channel(transaction, hook.channel_id)
    if channel is not None:
        _require_to_read(rights, channel)
    return hook


def _managed(transaction: Transaction, rights: Rights, hook_id: UUID) -> IncomingHook:
    hook = find_incoming(transaction, hook_id)
    if hook is None:
        raise NotFound("Unable to get the webhook", code="app.webhooks.get_incoming.app_error")
    INCOMING.require(rights, hook.team_id, hook.user_id)
    return hook


def _team_of(channel: Channel) -> UUID:
    if channel.team_id is None:
        raise faults.no_permission()
    return channel.team_id


def _require_to_read(rights: Rights, channel: Channel) -> None:
    if channel.type != OPEN:
        rights.require_in_channel("read_channel", channel)


def _check(wanted: WantedIncoming) -> None:
    for name, longest in _LONGEST.items():
        if len(getattr(wanted, name)) > longest:
            raise faults.bad_value(f"model.incoming_hook.{name}.app_error", f"Invalid {name}: too long.")
    if wanted.icon_url and not is_web_address(wanted.icon_url):
        raise faults.bad_value("model.incoming_hook.icon_url.app_error", "Invalid icon_url: expected a web address.")
    if wanted.username and _USERNAME.fullmatch(wanted.username) is None:
        raise faults.bad_value("api.incoming_webhook.invalid_username.app_error", "Invalid username.")


def _described(wanted: WantedIncoming) -> dict[str, Any]:
    return {name: getattr(wanted, name) for name in ("display_name", "description", "username", "icon_url")}


# --- Posting -------------------------------------------------------------------------------------------------------


def deliver(
    transaction: Transaction, hook_id: UUID, came: Delivered, *, is_online: IsOnline, within_teams: bool
) -> None:
    """Post what came.

    Args:
        transaction: The caller's.
        hook_id: By which webhook.
        came: What.
        is_online: Whether somebody is there now, for `@here`.
        within_teams: Whether direct messages are for people who share a team.

    Raises:
        BadRequest: 400: there is no such webhook, it says nothing or too much, or the channel is archived.
        NotFound: 404: there is no such channel.
        Forbidden: 403: it is locked to another channel, or its owner may not read that one.
    """
    hook = find_incoming(transaction, hook_id)
    owner = None if hook is None else find_person(transaction, hook.user_id)
    if hook is None or owner is None:
        raise unknown_hook()
    if not came.text and not came.attachments:
        raise faults.bad_value("web.incoming_webhook.text.app_error", "No text specified.")
    channel = _channel(transaction, hook, owner, came.channel or "", within_teams=within_teams)
    spoken = Spoken(
        text=came.text or "",
        username=came.username or hook.username,
        icon_url=came.icon_url or hook.icon_url,
        icon_emoji=came.icon_emoji or "",
        attachments=came.attachments or (),
        props=came.props or {},
        type=came.type or "",
        title=hook.display_name,
    )
    speak(transaction, channel, owner, in_our_words(transaction, spoken), is_online=is_online)


def unknown_hook() -> Exception:
    """400: nothing is known by this id."""
    return faults.bad_value("web.incoming_webhook.invalid.app_error", "Invalid webhook.")


def _channel(
    transaction: Transaction, hook: IncomingHook, owner: Person, wanted: str, *, within_teams: bool
) -> Channel:
    if not is_active(transaction, hook.team_id):
        raise _no_channel()
    if wanted.startswith("@"):
        return _direct(transaction, hook, owner, wanted[1:], within_teams=within_teams)
    channel = _found(transaction, hook, wanted)
    if channel is None or channel.team_id != hook.team_id:
        raise _no_channel()
    if hook.channel_locked and channel.id != hook.channel_id:
        raise _locked()
    # An administrator's own rights are not lent to whoever has the address: only the channel it was made for.
    is_theirs = owner.is_admin and channel.id == hook.channel_id
    is_theirs = is_theirs or find_member(transaction, channel.id, owner.id) is not None
    if channel.type != OPEN and not is_theirs:
        raise _not_permitted()
    return channel


def _found(transaction: Transaction, hook: IncomingHook, wanted: str) -> Channel | None:
    if not wanted:
        return find_channel(transaction, hook.channel_id)
    named = find_channel_by_name(transaction, hook.team_id, wanted.removeprefix("#"))
    if named is not None:
        return named
    return next((find_channel(transaction, each) for each in read_ids([wanted])), None)


def _direct(transaction: Transaction, hook: IncomingHook, owner: Person, name: str, *, within_teams: bool) -> Channel:
    if hook.channel_locked:
        raise _locked()
    person = find_person_by_name(transaction, name)
    if person is None:
        raise faults.bad_value("web.incoming_webhook.user.app_error", "Could not find the user.")
    try:
        rights = Rights(transaction, Principal(SESSION, user_id=owner.id))
    except Unauthorized as error:
        raise _not_permitted() from error
    return open_direct(transaction, rights, [owner.id, person.id], within_teams=within_teams)


def _no_channel() -> NotFound:
    return NotFound("Could not find the channel.", code="web.incoming_webhook.channel.app_error")


def _locked() -> Forbidden:
    return Forbidden(
        "This webhook is not permitted to post to the requested channel.",
        code="web.incoming_webhook.channel_locked.app_error",
    )


def _not_permitted() -> Forbidden:
    return Forbidden("Inappropriate channel permissions.", code="web.incoming_webhook.permissions.app_error")

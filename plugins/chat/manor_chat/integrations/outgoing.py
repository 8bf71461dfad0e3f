"""Outgoing webhooks: who keeps them, and what they may be."""

from __future__ import annotations

from typing import Any
from uuid import UUID

import msgspec

from manor import Forbidden, NotFound, Transaction, new_id
from manor_chat import faults
from manor_chat.domain.callbacks import is_web_address
from manor_chat.domain.triggers import EQUALS, STARTS_WITH
from manor_chat.ids import new_token
from manor_chat.integrations.keeping import OUTGOING, check_stays
from manor_chat.rights import Rights
from manor_chat.store.channels import OPEN, find_channel
from manor_chat.store.hooks import OutgoingHook, add_outgoing, change_outgoing, find_outgoing, list_outgoing
from manor_chat.times import to_milliseconds

MOST_URLS = 10
FORM, JSON = "application/x-www-form-urlencoded", "application/json"

_BAD = "model.outgoing_hook.is_valid"
_LONGEST = {"display_name": 64, "description": 500, "username": 64, "icon_url": 1024}
_LISTS = 1024
"""Characters of all trigger words together, and of all addresses."""


class WantedOutgoing(msgspec.Struct, frozen=True, kw_only=True):
    """An outgoing webhook as somebody wants it; what it is triggered by, and whom it calls how, stays where it is
    left out.
    """

    id: str = ""
    team_id: str = ""
    channel_id: str = ""
    creator_id: str = ""
    trigger_words: list[str] | None = None
    trigger_when: int | None = None
    callback_urls: list[str] | None = None
    display_name: str = ""
    description: str = ""
    content_type: str = ""
    username: str = ""
    icon_url: str = ""


def make(
    transaction: Transaction,
    rights: Rights,
    wanted: WantedOutgoing,
    *,
    team_id: UUID,
    channel_id: UUID | None,
    creator_id: UUID | None,
) -> OutgoingHook:
    """Make an outgoing webhook for a team.

    Args:
        transaction: The caller's.
        rights: Of whoever asks.
        wanted: How it is to be.
        team_id: For which team.
        channel_id: For which channel alone; None for all.
        creator_id: Whose it is; None for whoever asks.

    Raises:
        BadRequest: 400: it cannot be so, or another one does the same.
        NotFound: 404: there is no such team, channel or person.
        Forbidden: 403: they may not, or the channel is not public.
    """
    rights.team(team_id)
    OUTGOING.require_to_speak_for(transaction, rights, team_id, creator_id or rights.user_id)
    described = _described(wanted)
    _check(transaction, team_id, channel_id, described)
    now = to_milliseconds(transaction.now)
    hook = OutgoingHook(
        id=new_id(),
        token=new_token(),
        create_at=now,
        update_at=now,
        creator_id=creator_id or rights.user_id,
        channel_id=channel_id,
        team_id=team_id,
        **described,
    )
    add_outgoing(transaction, hook)
    return hook


def change(
    transaction: Transaction, rights: Rights, hook_id: UUID, wanted: WantedOutgoing, channel_id: UUID | None
) -> OutgoingHook:
    """Have an outgoing webhook otherwise; its token stays.

    Raises:
        BadRequest: 400: it cannot be so, or it would belong to another team.
        NotFound: 404: there is no such webhook or channel.
        Forbidden: 403: they may not, or the channel is not public.
    """
    hook = managed(transaction, rights, hook_id)
    check_stays(hook.team_id, wanted.team_id)
    described = _described(_with_what_stays(wanted, hook))
    _check(transaction, hook.team_id, channel_id, described, but=hook.id)
    return change_outgoing(transaction, hook, channel_id=channel_id, **described)


def renew_token(transaction: Transaction, rights: Rights, hook_id: UUID) -> OutgoingHook:
    """Give an outgoing webhook another token.

    Raises:
        NotFound: 404: there is none.
        Forbidden: 403: they may not.
    """
    return change_outgoing(transaction, managed(transaction, rights, hook_id), token=new_token())


def managed(transaction: Transaction, rights: Rights, hook_id: UUID) -> OutgoingHook:
    """An outgoing webhook that the caller may look at and change.

    Raises:
        NotFound: 404: there is none.
        Forbidden: 403: they may not.
    """
    hook = find_outgoing(transaction, hook_id)
    if hook is None:
        raise NotFound("Unable to get the webhook", code="app.webhooks.get_outgoing.app_error")
    OUTGOING.require(rights, hook.team_id, hook.creator_id)
    return hook


def _with_what_stays(wanted: WantedOutgoing, hook: OutgoingHook) -> WantedOutgoing:
    """The API's document names the id, the channel and the descriptions alone, so that some clients send no more."""
    return msgspec.structs.replace(
        wanted,
        trigger_words=hook.trigger_words if wanted.trigger_words is None else wanted.trigger_words,
        trigger_when=hook.trigger_when if wanted.trigger_when is None else wanted.trigger_when,
        callback_urls=hook.callback_urls if wanted.callback_urls is None else wanted.callback_urls,
        content_type=wanted.content_type or hook.content_type,
    )


def _described(wanted: WantedOutgoing) -> dict[str, Any]:
    for name, longest in _LONGEST.items():
        if len(getattr(wanted, name)) > longest:
            raise _bad(name, f"longer than {longest} characters")
    words, urls = wanted.trigger_words or [], list(dict.fromkeys(wanted.callback_urls or []))
    if not all(word.strip() == word and len(word.split()) == 1 for word in words):
        raise _bad("trigger_words", "each is one word")
    if sum(map(len, words)) > _LISTS:
        raise _bad("words", f"longer than {_LISTS} characters together")
    if not 1 <= len(urls) <= MOST_URLS or sum(map(len, urls)) > _LISTS:
        raise _bad("callback", f"expected 1 to {MOST_URLS} addresses of {_LISTS} characters together")
    if not all(map(is_web_address, urls)):
        raise _bad("url", "each begins with http:// or https://")
    if wanted.icon_url and not is_web_address(wanted.icon_url):
        raise _bad("icon_url", "expected a web address")
    when = EQUALS if wanted.trigger_when is None else wanted.trigger_when
    if when not in (EQUALS, STARTS_WITH):
        raise _bad("trigger_when", "expected 0 or 1")
    if wanted.content_type not in ("", FORM, JSON):
        raise _bad("content_type", f"expected {FORM} or {JSON}")
    return {name: getattr(wanted, name) for name in _LONGEST} | {
        "trigger_words": words,
        "callback_urls": urls,
        "trigger_when": when,
        "content_type": wanted.content_type or FORM,
    }


def _check(
    transaction: Transaction,
    team_id: UUID,
    channel_id: UUID | None,
    described: dict[str, Any],
    *,
    but: UUID | None = None,
) -> None:
    if channel_id is not None:
        channel = find_channel(transaction, channel_id)
        if channel is None:
            raise faults.missing_channel()
        if channel.type != OPEN:
            raise Forbidden(
                "Outgoing webhooks can only be for public channels.",
                code="api.webhook.create_outgoing.not_open.app_error",
            )
        if channel.team_id != team_id:
            raise Forbidden("The channel is another team's.", code="api.webhook.create_outgoing.permissions.app_error")
    elif not described["trigger_words"]:
        raise faults.bad_value(
            "api.webhook.create_outgoing.triggers.app_error", "Either trigger_words or channel_id must be set."
        )
    for other in list_outgoing(transaction, team_id=team_id, channel_id=channel_id):
        if other.id == but or other.channel_id != channel_id:
            continue
        same_words = set(other.trigger_words) & set(described["trigger_words"])
        same_words_or_none = same_words or not (other.trigger_words or described["trigger_words"])
        if same_words_or_none and set(other.callback_urls) & set(described["callback_urls"]):
            raise faults.bad_value(
                "api.webhook.create_outgoing.intersect.app_error",
                "Outgoing webhooks of one channel cannot have the same trigger words and callback addresses.",
            )


def _bad(name: str, what: str) -> Exception:
    return faults.bad_value(f"{_BAD}.{name}.app_error", f"Invalid {name}: {what}.")

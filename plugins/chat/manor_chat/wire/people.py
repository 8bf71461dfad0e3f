"""People as the API shows them, to themselves and to others."""

from __future__ import annotations

import msgspec
from msgspec import UNSET, UnsetType

from manor_chat.ids import shown_id
from manor_chat.store.people import Person

NOTIFY_PROPS = {
    "email": "true",
    "push": "mention",
    "push_status": "online",
    "desktop": "mention",
    "desktop_sound": "true",
    "desktop_threads": "all",
    "email_threads": "all",
    "push_threads": "all",
    "comments": "never",
    "channel": "true",
    "first_name": "false",
    "mention_keys": "",
    "highlight_keys": "",
    "auto_responder_active": "false",
    "auto_responder_message": "",
}
"""How somebody hears of things until they say otherwise."""

TIMEZONE = {"useAutomaticTimezone": "true", "automaticTimezone": "", "manualTimezone": ""}


class UserShown(msgspec.Struct, frozen=True, kw_only=True):
    """A user. What is UNSET is left out: others than oneself and administrators do not see it."""

    id: str
    create_at: int
    update_at: int
    delete_at: int
    username: str
    auth_data: str | UnsetType = UNSET
    auth_service: str = ""
    email: str
    email_verified: bool | UnsetType = UNSET
    nickname: str
    first_name: str
    last_name: str
    position: str
    roles: str
    notify_props: dict[str, str] | UnsetType = UNSET
    props: dict[str, str] | UnsetType = UNSET
    last_password_update: int | UnsetType = UNSET
    last_picture_update: int | UnsetType = UNSET
    failed_attempts: int | UnsetType = UNSET
    locale: str
    timezone: dict[str, str]
    mfa_active: bool | UnsetType = UNSET
    is_bot: bool | UnsetType = UNSET
    bot_description: str | UnsetType = UNSET
    bot_last_icon_update: int | UnsetType = UNSET
    disable_welcome_email: bool = False


def show_user(
    person: Person,
    *,
    whole: bool,
    shows_email: bool = True,
    shows_name: bool = True,
    has_mfa: bool = False,
    bot_description: str = "",
) -> UserShown:
    """A person as the API shows them.

    Args:
        person: Who.
        whole: Shown to themselves or to an administrator.
        shows_email: Whether others see the address.
        shows_name: Whether others see the first and last name.
        has_mfa: Whether they sign in with a second factor; shown to whoever sees them whole.
        bot_description: Of a bot.
    """
    profile = person.profile
    deleted = 0 if person.is_active else profile.delete_at or max(profile.update_at, person.create_at)
    picture = profile.last_picture_update
    status = profile.props.get("customStatus")
    props = profile.props if whole else {"customStatus": status} if status else UNSET
    shown = UserShown(
        id=shown_id(person.id),
        create_at=person.create_at,
        update_at=max(profile.update_at, person.create_at),
        delete_at=deleted,
        username=person.handle,
        email=person.email if whole or shows_email else "",
        nickname=profile.nickname,
        first_name=profile.first_name if whole or shows_name or person.is_bot else "",
        last_name=profile.last_name if whole or shows_name else "",
        position=profile.position,
        roles=" ".join(person.roles),
        props=props,
        last_picture_update=picture or UNSET,
        locale=profile.locale,
        timezone=TIMEZONE | profile.timezone,
        is_bot=True if person.is_bot else UNSET,
        bot_description=bot_description or UNSET,
        bot_last_icon_update=picture or UNSET if person.is_bot else UNSET,
    )
    if not whole:
        return shown
    return msgspec.structs.replace(
        shown,
        auth_data="",
        email_verified=person.is_verified,
        notify_props=NOTIFY_PROPS | {"mention_keys": ""} | profile.notify_props,
        last_password_update=profile.last_password_update or person.create_at,
        failed_attempts=0,
        mfa_active=has_mfa,
    )

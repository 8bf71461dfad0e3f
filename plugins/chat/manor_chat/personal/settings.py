"""What people prefer: small texts that their clients keep, under a category and a name."""

from __future__ import annotations

from collections.abc import Sequence
from uuid import UUID

import msgspec

from manor import NotFound, Transaction, from_chat_id
from manor_chat import faults
from manor_chat.ids import shown_id
from manor_chat.posts.finding import readable_posts
from manor_chat.rights import Rights
from manor_chat.sidebar.favorites import follow_preferences
from manor_chat.store.people import find_person
from manor_chat.store.preferences import (
    FLAGGED_POST,
    Preference,
    delete_preferences,
    list_preferences,
    set_preferences,
)
from manor_chat.telling import as_text, tell

MOST = 100
"""In one request."""

CATEGORY = 32
NAME = 32
VALUE = 20_000
"""Characters."""


class PreferenceShown(msgspec.Struct, frozen=True, kw_only=True):
    """One setting of one person."""

    user_id: str
    category: str
    name: str
    value: str


def show_preferences(user_id: UUID, preferences: Sequence[Preference]) -> list[PreferenceShown]:
    """Settings as the API shows them."""
    whose = shown_id(user_id)
    return [
        PreferenceShown(user_id=whose, category=each.category, name=each.name, value=each.value) for each in preferences
    ]


def settings_of(
    transaction: Transaction, rights: Rights, user_id: UUID, *, category: str | None = None, name: str | None = None
) -> list[PreferenceShown]:
    """Somebody's settings.

    Raises:
        NotFound: 404: there is no such person, or, where a category or a name is asked for, nothing in it.
        Forbidden: 403: they are not the caller's.
    """
    _check(transaction, rights, user_id)
    found = list_preferences(transaction, user_id, category=category, name=name)
    if not found and category is not None:
        raise NotFound("Unable to find the preference.", code="app.preference.get.app_error")
    return show_preferences(user_id, found)


def change_settings(transaction: Transaction, rights: Rights, user_id: UUID, wanted: Sequence[Preference]) -> None:
    """Keep settings of somebody's.

    Raises:
        BadRequest: 400: one is too long, or a theme is no JSON.
        NotFound: 404: there is no such person.
        Forbidden: 403: they are not the caller's, or a post that is saved is not theirs to read.
    """
    _check(transaction, rights, user_id)
    for each in wanted:
        _check_fit(each)
    _check_saved(transaction, rights, [each.name for each in wanted if each.category == FLAGGED_POST])
    set_preferences(transaction, user_id, wanted)
    follow_preferences(transaction, user_id, wanted, are_kept=True)
    _tell(transaction, "preferences_changed", user_id, wanted)


def forget_settings(transaction: Transaction, rights: Rights, user_id: UUID, unwanted: Sequence[Preference]) -> None:
    """Forget settings of somebody's; those that are not there are forgotten already.

    Raises:
        NotFound: 404: there is no such person.
        Forbidden: 403: they are not the caller's.
    """
    _check(transaction, rights, user_id)
    delete_preferences(transaction, user_id, unwanted)
    follow_preferences(transaction, user_id, unwanted, are_kept=False)
    _tell(transaction, "preferences_deleted", user_id, unwanted)


def _check(transaction: Transaction, rights: Rights, user_id: UUID) -> None:
    if user_id != rights.user_id and find_person(transaction, user_id) is None:
        raise faults.missing_user()
    rights.require_self(user_id)


def _check_fit(preference: Preference) -> None:
    if not 0 < len(preference.category) <= CATEGORY:
        raise faults.bad_value("model.preference.is_valid.category.app_error", "Invalid category.")
    if len(preference.name) > NAME:
        raise faults.bad_value("model.preference.is_valid.name.app_error", "Invalid name.")
    if len(preference.value) > VALUE:
        raise faults.bad_value("model.preference.is_valid.value.app_error", "Value is too long.")
    if preference.category == "theme":
        try:
            msgspec.json.decode(preference.value, type=dict[str, object])
        except (msgspec.MsgspecError, RecursionError) as error:
            raise faults.bad_value("model.preference.is_valid.theme.app_error", "Invalid theme.") from error


def _check_saved(transaction: Transaction, rights: Rights, names: Sequence[str]) -> None:
    """Posts that are saved for later are there, and may be read."""
    wanted = {from_chat_id(name) for name in names}
    known = {each for each in wanted if each is not None}
    if len(known) != len(wanted):
        raise faults.bad_value("model.preference.is_valid.name.app_error", "Invalid name.")
    if len(readable_posts(transaction, rights, known)) != len(known):
        raise faults.no_permission()


def _tell(transaction: Transaction, event: str, user_id: UUID, preferences: Sequence[Preference]) -> None:
    tell(transaction, event, {"preferences": as_text(show_preferences(user_id, preferences))}, user_id=user_id)

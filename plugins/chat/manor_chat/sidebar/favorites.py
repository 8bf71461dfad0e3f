"""Favorites: a category today, and a preference for clients that know no categories. Each follows the other."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any
from uuid import UUID

import msgspec

from manor import Transaction, from_chat_id
from manor_chat.domain.categories import FAVORITES
from manor_chat.ids import shown_id
from manor_chat.sidebar.arranged import Arranged, look
from manor_chat.store.channels import find_channels
from manor_chat.store.preferences import Preference, delete_preferences, set_preferences
from manor_chat.store.sidebar import put
from manor_chat.store.teams import teams_of
from manor_chat.telling import as_text, tell

PREFERENCE = "favorite_channel"


def note_favorites(transaction: Transaction, before: Arranged, after: Arranged) -> None:
    """Keep and tell as preferences which channels are favorites now and which no longer are."""
    were, are = _favorites(before), _favorites(after)
    new = [_preference(channel) for channel in are if channel not in were]
    gone = [_preference(channel) for channel in were if channel not in are]
    set_preferences(transaction, after.user_id, new)
    delete_preferences(transaction, after.user_id, gone)
    for event, changed in (("preferences_changed", new), ("preferences_deleted", gone)):
        if changed:
            shown = [msgspec.structs.asdict(each) | {"user_id": shown_id(after.user_id)} for each in changed]
            tell(transaction, event, {"preferences": as_text(shown)}, user_id=after.user_id)


def follow_preferences(
    transaction: Transaction, user_id: UUID, preferences: Sequence[Preference], *, are_kept: bool
) -> None:
    """Put channels among the favorites, or out of them, as a client says by preferences; others change nothing.

    Args:
        transaction: The caller's.
        user_id: Whose they are.
        preferences: What was kept or forgotten.
        are_kept: Whether they are kept now.
    """
    wanted = {
        channel_id: are_kept and each.value == "true"
        for each in preferences
        if each.category == PREFERENCE and (channel_id := from_chat_id(each.name)) is not None
    }
    if not wanted:
        return
    of_team = {channel.id: channel.team_id for channel in find_channels(transaction, wanted.keys()).values()}
    concerned = set(of_team.values())
    for team in teams_of(transaction, user_id):
        # Channels of people stand in the sidebar of each team.
        if concerned & {team.id, None}:
            sidebar = look(transaction, user_id, team.id)
            _move(transaction, sidebar, {each: is_in for each, is_in in wanted.items() if each in sidebar.joined})


def _move(transaction: Transaction, sidebar: Arranged, wanted: Mapping[UUID, bool]) -> None:
    favorites = next(category for category in sidebar.categories if category.type == FAVORITES)
    known = sidebar.places[favorites.id]
    coming = [channel for channel, is_in in wanted.items() if is_in and channel not in known]
    going = [channel for channel, is_in in wanted.items() if not is_in and channel in known]
    if not coming and not going:
        return
    inside = [channel for channel in (*known, *coming) if channel not in going]
    places = {channel: (favorites.id, index) for index, channel in enumerate(inside)}
    put(transaction, sidebar.user_id, sidebar.team_id, places, nowhere=going)
    after = look(transaction, sidebar.user_id, sidebar.team_id)
    changed = [each for each in after.categories if sidebar.places[each.id] != after.places[each.id]]
    data: dict[str, Any] = {"updatedCategories": as_text([after.show(each) for each in changed])}
    tell(transaction, "sidebar_category_updated", data, user_id=sidebar.user_id, team_id=sidebar.team_id)


def _favorites(sidebar: Arranged) -> list[UUID]:
    return [channel for each in sidebar.categories if each.type == FAVORITES for channel in sidebar.places[each.id]]


def _preference(channel: UUID) -> Preference:
    return Preference(category=PREFERENCE, name=shown_id(channel), value="true")

"""Favorites: a category today, and a preference for clients that know no categories. Each follows the other."""

from __future__ import annotations

from collections.abc import Mapping
from uuid import UUID

from sqlalchemy import delete, insert

from manor import Transaction
from manor_chat.domain.categories import FAVORITES
from manor_chat.ids import shown_id
from manor_chat.sidebar.arranged import Arranged, look
from manor_chat.store.channels import find_channels
from manor_chat.store.sidebar import put
from manor_chat.store.teams import teams_of
from manor_chat.tables.personal import preferences
from manor_chat.telling import as_text, tell

PREFERENCE = "favorite_channel"


def note_favorites(transaction: Transaction, before: Arranged, after: Arranged) -> None:
    """Keep and tell as preferences which channels are favorites now and which no longer are."""
    were, are = _favorites(before), _favorites(after)
    user_id = after.user_id
    changed = [channel for channel in (*were, *are) if (channel in were) != (channel in are)]
    if not changed:
        return
    names = [shown_id(channel) for channel in changed]
    mine = (preferences.c.user_id == user_id) & (preferences.c.category == PREFERENCE) & preferences.c.name.in_(names)
    transaction.connection.execute(delete(preferences).where(mine))
    new = [_preference(user_id, channel) for channel in are if channel not in were]
    if new:
        rows = [each | {"user_id": user_id} for each in new]
        transaction.connection.execute(insert(preferences), rows)
        tell(transaction, "preferences_changed", {"preferences": as_text(new)}, user_id=user_id)
    gone = [_preference(user_id, channel) for channel in were if channel not in are]
    if gone:
        tell(transaction, "preferences_deleted", {"preferences": as_text(gone)}, user_id=user_id)


def follow_preferences(transaction: Transaction, user_id: UUID, wanted: Mapping[UUID, bool]) -> None:
    """Put channels among the favorites, or out of them, as a client's preferences have it; they are kept by the caller.

    Args:
        transaction: The caller's.
        user_id: Whose.
        wanted: Whether each channel is to be a favorite. Those of people are one in all teams' sidebars.
    """
    channels = find_channels(transaction, wanted.keys())
    for team in teams_of(transaction, user_id):
        sidebar = look(transaction, user_id, team.id)
        here = {
            channel_id: is_wanted
            for channel_id, is_wanted in wanted.items()
            if channel_id in sidebar.joined and channels[channel_id].team_id in (None, team.id)
        }
        _move(transaction, sidebar, here)


def _move(transaction: Transaction, sidebar: Arranged, wanted: Mapping[UUID, bool]) -> None:
    favorites = next(category for category in sidebar.categories if category.type == FAVORITES)
    known = sidebar.places[favorites.id]
    coming = [channel for channel, is_wanted in wanted.items() if is_wanted and channel not in known]
    going = [channel for channel, is_wanted in wanted.items() if not is_wanted and channel in known]
    if not coming and not going:
        return
    inside = [channel for channel in (*known, *coming) if channel not in going]
    places = {channel: (favorites.id, index) for index, channel in enumerate(inside)}
    put(transaction, sidebar.user_id, sidebar.team_id, places, nowhere=going)
    after = look(transaction, sidebar.user_id, sidebar.team_id)
    changed = [each for each in after.categories if sidebar.places[each.id] != after.places[each.id]]
    data = {"updatedCategories": as_text([after.show(each) for each in changed])}
    tell(transaction, "sidebar_category_updated", data, user_id=sidebar.user_id, team_id=sidebar.team_id)


def _favorites(sidebar: Arranged) -> list[UUID]:
    return [channel for each in sidebar.categories if each.type == FAVORITES for channel in sidebar.places[each.id]]


def _preference(user_id: UUID, channel: UUID) -> dict[str, object]:
    return {"user_id": shown_id(user_id), "category": PREFERENCE, "name": shown_id(channel), "value": "true"}

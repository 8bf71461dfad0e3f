"""Arranging the sidebar: categories are made, changed, moved and deleted, and channels are put into them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any
from uuid import UUID

import msgspec
from msgspec import UNSET, UnsetType

from manor import Transaction, new_id
from manor_chat import faults
from manor_chat.channels.settings import change_and_tell
from manor_chat.domain.categories import CUSTOM, DISPLAY_NAME, MANUAL, SORTINGS, Category, in_order, taken, with_new
from manor_chat.domain.notify_props import MUTED, UNMUTED, is_muted
from manor_chat.ids import shown_id
from manor_chat.rights import Rights
from manor_chat.sidebar.arranged import Arranged, arranged, look
from manor_chat.sidebar.favorites import note_favorites
from manor_chat.store.channel_lists import memberships_in
from manor_chat.store.sidebar import forget_category, put, store_categories
from manor_chat.telling import as_text, tell
from manor_chat.wire.sidebar import SidebarCategory

MOST_CATEGORIES = 500
"""In one team's sidebar."""


class WantedCategory(msgspec.Struct, frozen=True, kw_only=True):
    """A category as somebody wants it; what is UNSET stays."""

    id: str
    display_name: str | UnsetType = UNSET
    sorting: str | UnsetType = UNSET
    muted: bool | UnsetType = UNSET
    collapsed: bool | UnsetType = UNSET
    channels: tuple[UUID, ...] | UnsetType = UNSET


def create(
    transaction: Transaction, rights: Rights, user_id: UUID, team_id: UUID, wanted: WantedCategory
) -> SidebarCategory:
    """Make a category, below the favorites.

    Raises:
        NotFound: 404: there is no such team, or nobody of that id.
        Forbidden: 403: it is another's sidebar.
        BadRequest: 400: it cannot be like this, or there are too many.
    """
    before = arranged(transaction, rights, user_id, team_id)
    if len(before.categories) >= MOST_CATEGORIES:
        raise faults.bad_body_param("category")
    new = _changed(Category(shown_id(new_id()), CUSTOM, ""), wanted)
    store_categories(transaction, user_id, team_id, with_new(before.categories, new))
    channels = () if wanted.channels is UNSET else taken(new, wanted.channels, before.joined)
    put(transaction, user_id, team_id, {channel: (new.id, index) for index, channel in enumerate(channels)})
    after = look(transaction, user_id, team_id)
    _tell(transaction, after, "sidebar_category_created", {"category_id": new.id})
    _follow(transaction, before, after)
    return after.show(new)


def change(
    transaction: Transaction, rights: Rights, user_id: UUID, team_id: UUID, wanted: Sequence[WantedCategory]
) -> list[SidebarCategory]:
    """Change categories and what is in them; a channel that is taken out of all of them goes back to that of its type.

    Raises:
        NotFound: 404: there is no such team or category, or nobody of that id.
        Forbidden: 403: it is another's sidebar.
        BadRequest: 400: one cannot be like this.
    """
    before = arranged(transaction, rights, user_id, team_id)
    changed = {each.id: _changed(before.category(each.id), each) for each in wanted}
    store_categories(transaction, user_id, team_id, [changed.get(each.id, each) for each in before.categories])
    places: dict[UUID, tuple[str, int]] = {}
    released: set[UUID] = set()
    for each in wanted:
        if each.channels is UNSET:
            continue
        inside = taken(changed[each.id], each.channels, before.joined)
        if inside == before.places[each.id] and changed[each.id].sorting != MANUAL:
            continue  # it was sent whole because it folds or sorts otherwise: what has no place of its own gets none
        released.update(before.places[each.id])
        places |= {channel: (each.id, index) for index, channel in enumerate(inside)}
    put(transaction, user_id, team_id, places, nowhere=released - places.keys())
    after = look(transaction, user_id, team_id)
    shown = [after.show(after.category(each)) for each in changed]
    _tell(transaction, after, "sidebar_category_updated", {"updatedCategories": as_text(shown)})
    _follow(transaction, before, after)
    return shown


def order(transaction: Transaction, rights: Rights, user_id: UUID, team_id: UUID, ids: Sequence[str]) -> Sequence[str]:
    """Put the categories into another order.

    Raises:
        NotFound: 404: there is no such team, or nobody of that id.
        Forbidden: 403: it is another's sidebar.
        BadRequest: 400: these are not all of them, each once.
    """
    before = arranged(transaction, rights, user_id, team_id)
    categories = in_order(before.categories, ids)
    if categories is None:
        raise faults.bad_body_param("category order")
    store_categories(transaction, user_id, team_id, categories)
    _tell(transaction, before, "sidebar_category_order_updated", {"order": list(ids)})
    return ids


def remove(transaction: Transaction, rights: Rights, user_id: UUID, team_id: UUID, category_id: str) -> None:
    """Delete a category; its channels go back to those of their types.

    Raises:
        NotFound: 404: there is no such team or category, or nobody of that id.
        Forbidden: 403: it is another's sidebar.
        BadRequest: 400: it is one that everybody has.
    """
    before = arranged(transaction, rights, user_id, team_id)
    if before.category(category_id).type != CUSTOM:
        raise faults.bad_url_param("category_id")
    kept = [each for each in before.categories if each.id != category_id]
    store_categories(transaction, user_id, team_id, kept)
    forget_category(transaction, user_id, team_id, category_id)
    after = look(transaction, user_id, team_id)
    _tell(transaction, after, "sidebar_category_deleted", {"category_id": category_id})
    _follow(transaction, before, after)


def _changed(category: Category, wanted: WantedCategory) -> Category:
    given = {
        name: value
        for name in ("display_name", "sorting", "muted", "collapsed")
        if (value := getattr(wanted, name)) is not UNSET
    }
    asked: Any = replace(category, **given)
    if asked.sorting not in SORTINGS:
        raise faults.bad_body_param("sorting")
    if category.type == CUSTOM and not 1 <= len(asked.display_name.strip()) <= len(asked.display_name) <= DISPLAY_NAME:
        raise faults.bad_body_param("display_name")
    return category.changed(
        display_name=asked.display_name, sorting=asked.sorting, muted=asked.muted, collapsed=asked.collapsed
    )


def _tell(transaction: Transaction, sidebar: Arranged, event: str, data: dict[str, Any]) -> None:
    tell(transaction, event, data, user_id=sidebar.user_id, team_id=sidebar.team_id)


def _follow(transaction: Transaction, before: Arranged, after: Arranged) -> None:
    """Have channels muted or not as their categories are, where that changed, and note what is a favorite."""
    were, are = before.is_muted(), after.is_muted()
    switched = {channel for channel in are if were.get(channel, False) != are[channel]}
    if switched:
        for member in memberships_in(transaction, after.user_id, switched):
            if is_muted(member.notify_props) != are[member.channel_id]:
                props = {**member.notify_props, **(MUTED if are[member.channel_id] else UNMUTED)}
                change_and_tell(transaction, member, notify_props=props)
    note_favorites(transaction, before, after)

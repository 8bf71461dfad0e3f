"""The sidebar: categories in an order, and each channel in exactly one of them.

Three categories are there for everybody: favorites, channels and direct messages. A channel that nobody put anywhere is
in the one of its type; so is one whose category is deleted, or that is taken out of its category and put nowhere.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TypeVar

FAVORITES, CHANNELS, DIRECT_MESSAGES, CUSTOM = "favorites", "channels", "direct_messages", "custom"
BUILT_IN = (FAVORITES, CHANNELS, DIRECT_MESSAGES)
MANUAL = "manual"
SORTINGS = frozenset({"", MANUAL, "alpha", "recent"})
DISPLAY_NAME = 64

_DISPLAY_NAMES = {FAVORITES: "Favorites", CHANNELS: "Channels", DIRECT_MESSAGES: "Direct Messages"}
_SORTINGS = {DIRECT_MESSAGES: "recent"}
_ID = re.compile(rf"(?:{'|'.join(BUILT_IN)})_[a-z0-9]{{26}}_[a-z0-9]{{26}}|[a-z0-9]{{26}}")
_STEP = 10

K = TypeVar("K")


@dataclass(frozen=True)
class Category:
    """One category; see the API's SidebarCategory.

    Args:
        id: Of a built-in one `TYPE_USER_TEAM`.
        type: One of `BUILT_IN`, or `CUSTOM`.
        display_name: Of a built-in one always the same.
        sorting: One of `SORTINGS`.
        muted: Whether what is put into it is muted.
        collapsed: Whether it shows its unread channels only.
    """

    id: str
    type: str
    display_name: str
    sorting: str = ""
    muted: bool = False
    collapsed: bool = False

    def changed(self, *, display_name: str, sorting: str, muted: bool, collapsed: bool) -> Category:
        """As somebody wants it, as far as one of its type may be so."""
        return replace(
            self,
            display_name=display_name if self.type == CUSTOM else self.display_name,
            sorting=sorting,
            muted=muted and self.type != DIRECT_MESSAGES,
            collapsed=collapsed,
        )


@dataclass(frozen=True)
class Joined:
    """A channel that somebody is in."""

    is_of_people: bool
    """Whether it is a direct or a group channel."""

    @property
    def home(self) -> str:
        """The type of the category that it is in while it is put nowhere."""
        return DIRECT_MESSAGES if self.is_of_people else CHANNELS


def is_category_id(text: str) -> bool:
    """Whether a category may have this id."""
    return _ID.fullmatch(text) is not None


def built_in_id(type_: str, user_id: str, team_id: str) -> str:
    """The id of somebody's built-in category in a team."""
    return f"{type_}_{user_id}_{team_id}"


def with_built_in(stored: Sequence[Category], user_id: str, team_id: str) -> list[Category]:
    """Somebody's categories in their order; without any stored ones the built-in ones alone."""
    known = {category.type for category in stored}
    missing = [
        Category(built_in_id(type_, user_id, team_id), type_, _DISPLAY_NAMES[type_], _SORTINGS.get(type_, ""))
        for type_ in BUILT_IN
        if type_ not in known
    ]
    return [*missing, *stored]


def with_new(categories: Sequence[Category], new: Category) -> list[Category]:
    """The same with a new one, below the favorites."""
    below = 1 + next((index for index, each in enumerate(categories) if each.type == FAVORITES), -1)
    return [*categories[:below], new, *categories[below:]]


def in_order(categories: Sequence[Category], ids: Sequence[str]) -> list[Category] | None:
    """The same in another order; None when the ids are not those of all of them, each once."""
    by_id = {category.id: category for category in categories}
    if len(ids) != len(by_id) or set(ids) != by_id.keys():
        return None
    return [by_id[each] for each in ids]


def sort_orders(categories: Iterable[Category]) -> dict[str, int]:
    """What the API gives categories to be sorted by."""
    return {category.id: index * _STEP for index, category in enumerate(categories)}


def places(
    categories: Sequence[Category], joined: Mapping[K, Joined], put: Mapping[K, tuple[str, int]]
) -> dict[str, list[K]]:
    """Which channels are in which category.

    Args:
        categories: All of them.
        joined: The channels that somebody is in, in the order in which those come that are put nowhere.
        put: Where they put channels: the category's id, and the place in it.

    Returns:
        Channels by category, each channel in one; those with a place first.
    """
    by_type = {category.type: category.id for category in categories if category.type != CUSTOM}
    found: dict[str, list[K]] = {category.id: [] for category in categories}
    for channel in sorted((each for each in joined if each in put), key=lambda each: put[each][1]):
        if put[channel][0] in found:
            found[put[channel][0]].append(channel)
    settled = {channel for channels in found.values() for channel in channels}
    for channel, about in joined.items():
        if channel not in settled:
            found[by_type[about.home]].append(channel)
    return found


def taken(category: Category, wanted: Iterable[K], joined: Mapping[K, Joined]) -> list[K]:
    """Those of the channels that somebody wants in a category which may be there: they are in them, and the built-in
    categories for channels and direct messages have those alone.
    """
    only = category.type if category.type in (CHANNELS, DIRECT_MESSAGES) else None
    return [
        channel
        for channel in dict.fromkeys(wanted)
        if channel in joined and (only is None or joined[channel].home == only)
    ]

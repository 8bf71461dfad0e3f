"""The sidebar as the API shows it."""

from __future__ import annotations

import msgspec


class SidebarCategory(msgspec.Struct, frozen=True, kw_only=True):
    """A category with what is in it, in the order of a manual sorting."""

    id: str
    user_id: str
    team_id: str
    sort_order: int
    sorting: str
    type: str
    display_name: str
    muted: bool
    collapsed: bool
    channel_ids: list[str]


class OrderedSidebarCategories(msgspec.Struct, frozen=True, kw_only=True):
    """Somebody's categories in a team."""

    categories: list[SidebarCategory]
    order: list[str]

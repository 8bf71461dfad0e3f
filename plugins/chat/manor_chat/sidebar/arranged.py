"""Somebody's sidebar in a team as it is."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from uuid import UUID

from manor import Transaction
from manor_chat import faults
from manor_chat.channels.making import require_team
from manor_chat.domain.categories import Category, Joined, places, sort_orders, with_built_in
from manor_chat.ids import shown_id
from manor_chat.rights import Rights
from manor_chat.store.channel_lists import channels_of
from manor_chat.store.people import find_person
from manor_chat.store.sidebar import put_channels, stored_categories
from manor_chat.wire.sidebar import OrderedSidebarCategories, SidebarCategory


@dataclass(frozen=True)
class Arranged:
    """How somebody has arranged their channels.

    Args:
        user_id: Who.
        team_id: In which team; channels of people stand in each team's sidebar.
        categories: In their order.
        joined: The channels that they are in and that are not archived.
        places: Which of them are in which category, by its id.
    """

    user_id: UUID
    team_id: UUID
    categories: Sequence[Category]
    joined: Mapping[UUID, Joined]
    places: Mapping[str, Sequence[UUID]]

    def category(self, category_id: str) -> Category:
        """The category with this id.

        Raises:
            NotFound: 404: they have none.
        """
        for category in self.categories:
            if category.id == category_id:
                return category
        raise faults.missing_category()

    def is_muted(self) -> dict[UUID, bool]:
        """Whether each channel is in a muted category."""
        return {channel: each.muted for each in self.categories for channel in self.places[each.id]}

    def show(self, category: Category) -> SidebarCategory:
        """One of the categories as the API shows it."""
        return SidebarCategory(
            id=category.id,
            user_id=shown_id(self.user_id),
            team_id=shown_id(self.team_id),
            sort_order=sort_orders(self.categories)[category.id],
            sorting=category.sorting,
            type=category.type,
            display_name=category.display_name,
            muted=category.muted,
            collapsed=category.collapsed,
            channel_ids=[shown_id(each) for each in self.places[category.id]],
        )

    def show_all(self) -> OrderedSidebarCategories:
        """All of them, in their order."""
        shown = [self.show(each) for each in self.categories]
        return OrderedSidebarCategories(categories=shown, order=[each.id for each in shown])


def arranged(transaction: Transaction, rights: Rights, user_id: UUID, team_id: UUID) -> Arranged:
    """Somebody's sidebar, for whoever may see it.

    Raises:
        NotFound: 404: there is no such team, or nobody of that id.
        Forbidden: 403: it is another's, or the team is.
    """
    require_team(rights, team_id)
    if user_id != rights.user_id and find_person(transaction, user_id) is None:
        raise faults.missing_user()
    rights.require_self(user_id)
    rights.require_in_team("view_team", team_id)
    return look(transaction, user_id, team_id)


def look(transaction: Transaction, user_id: UUID, team_id: UUID) -> Arranged:
    """Somebody's sidebar as it is now."""
    mine = channels_of(transaction, user_id, team_id=team_id)
    # Where nothing is put by hand, conversations come by the newest and channels by their names.
    ordered = sorted(mine, key=lambda channel: -channel.last_post_at if channel.is_of_people else 0)
    joined = {channel.id: Joined(channel.is_of_people) for channel in ordered}
    stored = stored_categories(transaction, user_id, team_id)
    categories = with_built_in(stored, shown_id(user_id), shown_id(team_id))
    put = put_channels(transaction, user_id, team_id)
    return Arranged(user_id, team_id, categories, joined, places(categories, joined, put))

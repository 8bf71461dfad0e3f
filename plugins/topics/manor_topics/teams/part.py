"""The part that people share topics with."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from manor import (
    BackgroundTask,
    Command,
    Delivery,
    Route,
    ScopeDeclaration,
    Subscription,
    TeamChanged,
    TeamDeleted,
    TierLimit,
    UserChanged,
)
from manor_topics.http.invites import InviteHandlers, invite_routes
from manor_topics.http.teams import TeamHandlers, team_routes
from manor_topics.parts import Part, Shared
from manor_topics.teams.administering import TeamCommands
from manor_topics.teams.joining import Joining
from manor_topics.teams.keeping import Keeping
from manor_topics.teams.lapsing import Lapsing
from manor_topics.teams.parting import Parting
from manor_topics.teams.postage import Postage

LIMITS = [
    TierLimit("teams", {"": 1}, "Whether a person may own teams"),
    TierLimit(
        "base_members", {"": 50, "TEAM": 200, "BUSINESS": 0}, "People in all teams of a person, themselves among them"
    ),
]


class Teams(Part):
    """Make teams, invite people, share topics.

    Args:
        shared: What all parts use.
    """

    def __init__(self, shared: Shared) -> None:
        keeping = Keeping(shared)
        self._teams = TeamHandlers(keeping)
        self._invites = InviteHandlers(Joining(shared, Postage(shared.context.limits)))
        self._commands = TeamCommands(shared, keeping)
        self._lapsing = Lapsing(shared)
        self._parting = Parting(shared.context.storage, shared.parts)

    def routes(self) -> Sequence[Route]:
        """Teams, members, invites."""
        return [*team_routes(self._teams), *invite_routes(self._invites)]

    def subscriptions(self) -> Sequence[Subscription[Any]]:
        """Plans change, and teams go in other ways than over this API."""
        return [
            Subscription(UserChanged.name, UserChanged, self._lapsing.hear_person, Delivery.INLINE),
            Subscription(TeamChanged.name, TeamChanged, self._lapsing.hear_team, Delivery.INLINE),
            Subscription(TeamDeleted.name, TeamDeleted, self._parting.hear, Delivery.DURABLE),
        ]

    def scopes(self) -> Sequence[ScopeDeclaration]:
        """What keys may."""
        return [ScopeDeclaration("teams", "See and manage your teams, invite people and accept invites")]

    def tier_limits(self) -> Sequence[TierLimit]:
        """Whether, and how many people."""
        return LIMITS

    def background_tasks(self) -> Sequence[BackgroundTask]:
        """Deactivates teams whose owner's plan has none, and looks at the start for those that went unheard."""
        return [BackgroundTask("team plans", self._lapsing.run), BackgroundTask("gone teams", self._parting.run)]

    def commands(self) -> Sequence[Command]:
        """`manor teams`."""
        return self._commands.all()

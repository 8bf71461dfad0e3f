"""Who may do what: asked within the transaction that does it, so that nobody acts on rights that they have just lost.

The order of the checks is the API's: a malformed id is 400 before anything is looked up, what is not there is 404, and
only then is a missing permission 403.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable
from uuid import UUID

from manor import Principal, Transaction, Unauthorized
from manor_chat import faults
from manor_chat.domain.permissions import (
    CHANNEL_ADMIN,
    CHANNEL_USER,
    EVERYTHING,
    TEAM_ADMIN,
    TEAM_USER,
    permissions_of,
)
from manor_chat.store.channels import OPEN, Channel, ChannelMember, find_channel
from manor_chat.store.channels import find_member as find_channel_member
from manor_chat.store.people import Person, find_person
from manor_chat.store.posts import Post, find_post
from manor_chat.store.teams import ChatTeam, find_team, is_active, role_in_team, roles_in_teams


class Rights:
    """What one caller may do, as one transaction sees it.

    Args:
        transaction: The caller's own, reading or writing.
        principal: Who asks.

    Attributes:
        person: Who asks.

    Raises:
        Unauthorized: They are gone.
    """

    def __init__(self, transaction: Transaction, principal: Principal) -> None:
        person = None if principal.user_id is None else find_person(transaction, principal.user_id)
        if person is None or not person.is_active:
            raise Unauthorized("Invalid or expired session, please login again.")
        self.person: Person = person
        self._transaction = transaction
        self._system = EVERYTHING if person.is_admin else permissions_of(person.roles)
        self._teams: dict[UUID, frozenset[str] | None] = {}
        self._members: dict[UUID, ChannelMember | None] = {}
        self._active: dict[UUID, bool] = {}

    def forget(self) -> None:
        """Look anew at what they are in: the transaction has changed it."""
        self._teams, self._members = {}, {}

    @property
    def user_id(self) -> UUID:
        """Who asks."""
        return self.person.id

    # --- What there is ---------------------------------------------------------------------------------------------

    def may(self, permission: str) -> bool:
        """Whether their system roles permit it."""
        return permission in self._system

    def is_in_team(self, team_id: UUID) -> bool:
        """Whether they are in the team."""
        return self._of_team(team_id) is not None

    def may_in_team(self, permission: str, team_id: UUID) -> bool:
        """Whether their system or team roles permit it."""
        return permission in self._system or permission in (self._of_team(team_id) or frozenset())

    def member(self, channel_id: UUID) -> ChannelMember | None:
        """Their part in a channel."""
        if channel_id not in self._members:
            self._members[channel_id] = find_channel_member(self._transaction, channel_id, self.user_id)
        return self._members[channel_id]

    def know(self, members: Iterable[ChannelMember], channel_ids: Iterable[UUID]) -> None:
        """Take their parts in several channels as read, so that asking of each takes no query each.

        Args:
            members: Those that they have.
            channel_ids: All that were looked for.
        """
        self._members |= dict.fromkeys(channel_ids) | {member.channel_id: member for member in members}

    def know_teams(self, team_ids: Collection[UUID]) -> None:
        """Look at once at what they are in several teams, so that asking of each takes no query each."""
        roles = roles_in_teams(self._transaction, team_ids, self.user_id)
        self._teams |= {team_id: _permissions_of_member(roles.get(team_id)) for team_id in team_ids}

    def may_in_channel(self, permission: str, channel: Channel) -> bool:
        """Whether their system, team or channel roles permit it. Nothing of a team permits anything in channels of
        people, nor in private channels that they are not in; and the channels of a team open to those in it alone.
        """
        if permission in self._system:
            return True
        member = self.member(channel.id)
        if channel.team_id is not None and self._of_team(channel.team_id) is None:
            return False
        if member is not None:
            roles = (CHANNEL_USER, CHANNEL_ADMIN) if member.is_admin else (CHANNEL_USER,)
            if permission in permissions_of((*roles, *member.roles.split())):
                return True
        if channel.team_id is None or (member is None and channel.type != OPEN):
            return False
        return permission in (self._of_team(channel.team_id) or frozenset())

    def may_read(self, channel: Channel) -> bool:
        """Whether they may read a channel: as its member, or, when it is open, as one of its team."""
        if self.may_in_channel("read_channel", channel):
            return True
        is_open = channel.type == OPEN and channel.team_id is not None
        return is_open and channel.team_id is not None and self.may_in_team("read_public_channel", channel.team_id)

    def may_act_for(self, user_id: UUID) -> bool:
        """Whether they are this person, or may do to anybody what these may do to themselves."""
        return user_id == self.user_id or self.may("edit_other_users")

    # --- What is refused -------------------------------------------------------------------------------------------

    def require(self, permission: str) -> None:
        """See that their system roles permit it.

        Raises:
            Forbidden: 403.
        """
        _require(self.may(permission))

    def require_in_team(self, permission: str, team_id: UUID) -> None:
        """See that their system or team roles permit it.

        Raises:
            Forbidden: 403.
        """
        _require(self.may_in_team(permission, team_id))

    def require_in_channel(self, permission: str, channel: Channel) -> None:
        """See that their system, team or channel roles permit it.

        Raises:
            Forbidden: 403.
        """
        _require(self.may_in_channel(permission, channel))

    def require_self(self, user_id: UUID) -> None:
        """See that they may act for this person, who is there.

        Raises:
            NotFound: 404: there is no such person.
            Forbidden: 403.
        """
        if user_id != self.user_id and find_person(self._transaction, user_id) is None:
            raise faults.missing_user()
        _require(self.may_act_for(user_id))

    def team(self, team_id: UUID) -> ChatTeam:
        """The team with this id.

        Raises:
            NotFound: 404.
        """
        team = find_team(self._transaction, team_id)
        if team is None:
            raise faults.missing_team()
        return team

    def channel(self, channel_id: UUID) -> Channel:
        """The channel with this id, archived or not, of a team that is not switched off.

        Raises:
            NotFound: 404.
        """
        channel = find_channel(self._transaction, channel_id)
        if channel is None or not self.is_open(channel):
            raise faults.missing_channel()
        return channel

    def is_open(self, channel: Channel) -> bool:
        """Whether there is anything to open: the channels of a team that is switched off are there for nobody."""
        team_id = channel.team_id
        if team_id is None:
            return True
        if team_id not in self._active:
            self._active[team_id] = is_active(self._transaction, team_id)
        return self._active[team_id]

    def readable_channel(self, channel_id: UUID) -> Channel:
        """The channel with this id, which they may read.

        Raises:
            NotFound: 404: there is none.
            Forbidden: 403: they may not.
        """
        channel = self.channel(channel_id)
        _require(self.may_read(channel))
        return channel

    def readable_post(self, post_id: UUID, *, deleted: bool = False) -> tuple[Post, Channel]:
        """The post with this id in a channel that they may read; a deleted one only where that is asked for.

        Raises:
            NotFound: 404: there is none.
            Forbidden: 403: they may not.
        """
        post = find_post(self._transaction, post_id)
        if post is None or (post.delete_at and not deleted):
            raise faults.missing_post()
        return post, self.readable_channel(post.channel_id)

    def _of_team(self, team_id: UUID) -> frozenset[str] | None:
        if team_id not in self._teams:
            self._teams[team_id] = _permissions_of_member(role_in_team(self._transaction, team_id, self.user_id))
        return self._teams[team_id]


def _permissions_of_member(role: str | None) -> frozenset[str] | None:
    """What a role in a team permits; None for who is not in it."""
    if role is None:
        return None
    return permissions_of((TEAM_USER,) if role == "member" else (TEAM_USER, TEAM_ADMIN))


def _require(is_permitted: bool) -> None:
    if not is_permitted:
        raise faults.no_permission()

"""Invites into teams, for the people who were invited."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from uuid import UUID

from manor import (
    Invite,
    Member,
    PluginContext,
    Team,
    Transaction,
    accept_invite,
    find_invite,
    find_team,
    find_user,
    invited_address,
)
from manor_auth.config import AuthConfig


@dataclass(frozen=True)
class Invitation:
    """An invite that can be accepted, with the names that its reader knows.

    Args:
        invite: The invite.
        team: What one would join.
        inviter: Who asks; "" when they are gone.
        has_account: Whether somebody has the address that it was sent to.
    """

    invite: Invite
    team: Team
    inviter: str
    has_account: bool


class Inviting:
    """Shows invites and takes acceptances.

    Args:
        context: The plugin's.
    """

    def __init__(self, context: PluginContext[AuthConfig]) -> None:
        self._storage = context.storage
        self._audit = context.audit
        self._seats = partial(context.tiers.limit, "base_members")

    async def find(self, token: str) -> Invitation | None:
        """The invite that a link holds; None when it can be accepted no more, or was never made."""

        def work(transaction: Transaction) -> Invitation | None:
            invite = find_invite(transaction, token=token)
            if invite is None or not invite.is_pending(transaction.now):
                return None
            team = find_team(transaction, team_id=invite.team_id)
            if team is None or not team.is_active:
                return None
            inviter = find_user(transaction, user_id=invite.invited_by_id)
            account = find_user(transaction, email=invite.email)
            return Invitation(invite, team, inviter.username if inviter else "", account is not None)

        return await self._storage.read(work)

    async def address(self, token: str) -> str:
        """Where an invite was sent, into a team or to this server; "" when it lets nobody in any more."""
        return await self._storage.read(lambda transaction: invited_address(transaction, token)) or ""

    async def accept(self, token: str, user_id: UUID) -> Member:
        """Join the team.

        Raises:
            NotFound: There is no such invite.
            BadRequest: It is cancelled or expired.
            Forbidden: It was sent to somebody else, the team is switched off, or its owner's plan has no room.
            Conflict: It is used, or they are in the team already.
        """

        def work(transaction: Transaction) -> Member:
            member = accept_invite(transaction, token, user_id, seats=self._seats)
            self._audit.record(
                transaction, "auth.invite_accepted", actor=str(user_id), target=str(member.team_id),
            )  # fmt: skip
            return member

        return await self._storage.write(work)

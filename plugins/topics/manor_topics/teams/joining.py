"""Who is in a team: invited, joined, given another role, gone."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial
from typing import Literal
from urllib.parse import parse_qs, urlsplit
from uuid import UUID

from manor import (
    Forbidden,
    Invite,
    Member,
    Message,
    NotFound,
    Team,
    Transaction,
    accept_invite,
    cancel_invite,
    check_email,
    find_invite,
    find_member,
    find_user,
    fold_email,
    invite,
    list_members,
    pending_invites,
    remove_member,
    resend_invite,
    set_role,
    team_invite_letter,
)
from manor_topics.domain import read_id
from manor_topics.parts import Shared
from manor_topics.payers import Payer
from manor_topics.teams.postage import Postage
from manor_topics.teams.shown import InviteShown, TeamShown, show_invite, show_team
from manor_topics.teams.standing import LEADERS, standing, the_team

LETTER = "invite"
"""The kind of letters that links of invites are found by."""


class Joining:
    """Keeps members and invites.

    In all methods, `people` are those who ask, in the order in which they count, and a team's `reference` is its id.

    Args:
        shared: What all parts use.
        postage: Counts the letters that people have us send.
    """

    def __init__(self, shared: Shared, postage: Postage) -> None:
        self._context = shared.context
        self._audit = shared.context.audit
        self._postage = postage
        self._storage = shared.context.storage
        self._seats = partial(shared.context.tiers.limit, "base_members")
        self._plan_allows = shared.payers.check_allowed

    # --- Members ---------------------------------------------------------------------------------------------------

    async def list(self, reference: str, people: Sequence[UUID]) -> Sequence[Member]:
        """Who is in a team, those who joined first first.

        Raises:
            NotFound: There is no such team.
            Forbidden: They are not in it.
        """

        def work(transaction: Transaction) -> Sequence[Member]:
            team = the_team(transaction, reference)
            standing(transaction, team, people)
            return list_members(transaction, team.id)

        return await self._storage.read(work)

    async def set_role(
        self, reference: str, user_id: str, people: Sequence[UUID], role: Literal["admin", "member"]
    ) -> Member:
        """Make somebody an admin of a team, or a plain member.

        Raises:
            NotFound: There is no such team, or nobody of that id in it.
            Forbidden: It is not theirs to say, or that is the owner.
        """

        def work(transaction: Transaction) -> Member:
            team = the_team(transaction, reference)
            acting = standing(transaction, team, people, LEADERS)
            member = set_role(transaction, team.id, _user_id(user_id), role)
            self._note(transaction, "topics.team_role_set", acting, {"member": str(member.user_id), "role": role})
            return member

        return await self._storage.write(work)

    async def remove(self, reference: str, user_id: str, people: Sequence[UUID]) -> None:
        """Let somebody out of a team; out of any, also one that is deactivated, whoever goes themselves.

        Raises:
            NotFound: There is no such team, or nobody of that id in it.
            Forbidden: It is not theirs to say, or that is the owner.
        """

        def work(transaction: Transaction) -> None:
            team = the_team(transaction, reference)
            gone = _user_id(user_id)
            actor = gone
            if gone not in people or find_member(transaction, team.id, gone) is None:
                actor = standing(transaction, team, people, LEADERS).user_id
            remove_member(transaction, team.id, gone)
            detail = {"member": str(gone)}
            self._audit.record(transaction, "topics.team_left", actor=str(actor), target=str(team.id), detail=detail)

        await self._storage.write(work)

    # --- Invites ---------------------------------------------------------------------------------------------------

    async def invite(
        self, reference: str, people: Sequence[UUID], *, email: str, role: Literal["admin", "member"]
    ) -> InviteShown:
        """Ask somebody to join, by mail.

        Raises:
            NotFound: There is no such team.
            Forbidden: It is not theirs to say, the team is deactivated, or its owner's plan has no room.
            Unprocessable: The address cannot be one.
            Conflict: They are in it, or are asked already.
            TooManyRequests: The address, or who asks, has had the invites of this hour.
        """
        check_email(email)

        def may(transaction: Transaction) -> Member:
            return self._leading(transaction, the_team(transaction, reference), people)

        sender_id = (await self._storage.read(may)).user_id
        self._postage.check(email, sender_id)

        def work(transaction: Transaction) -> InviteShown:
            team = the_team(transaction, reference)
            acting = self._leading(transaction, team, people)
            asked, token = invite(
                transaction, team.id, email=email, role=role, invited_by_id=acting.user_id, seats=self._seats
            )
            letter = self._post(transaction, team, asked, token)
            self._note(transaction, "topics.team_invite_sent", acting, {"invite": str(asked.id), "role": role})
            return show_invite(asked, transaction.now, "" if self._context.mail.is_configured else letter.link)

        shown = await self._storage.write(work)
        self._postage.note(email, sender_id)
        return shown

    async def list_invites(self, reference: str, people: Sequence[UUID]) -> Sequence[InviteShown]:
        """The invites that can be accepted, the newest first.

        Raises:
            NotFound: There is no such team.
            Forbidden: It is not theirs to see.
        """

        def work(transaction: Transaction) -> Sequence[InviteShown]:
            team = the_team(transaction, reference)
            standing(transaction, team, people, LEADERS)
            asked = pending_invites(transaction, team_id=team.id)
            own = [each for each in asked if each.invited_by_id in people]
            links = {} if self._context.mail.is_configured or not own else self._unsent(transaction)
            return [show_invite(each, transaction.now, links.get(each.id, "") if each in own else "") for each in asked]

        return await self._storage.read(work)

    async def accept(self, token: str, people: Sequence[UUID]) -> TeamShown:
        """Join the team that one was asked to join.

        Raises:
            NotFound: There is no such invite.
            BadRequest: It is cancelled or expired.
            Forbidden: It was sent to somebody else, the team is deactivated, or its owner's plan has no room.
            Conflict: It is used, or they are in the team already.
        """

        def work(transaction: Transaction) -> TeamShown:
            asked = find_invite(transaction, token=token)
            if asked is None:
                raise NotFound("There is no such invite")
            whose = next((person for person in people if _is_asked(transaction, asked, person)), people[0])
            member = accept_invite(transaction, token, whose, seats=self._seats)
            self._note(transaction, "topics.team_invite_accepted", member, {"invite": str(asked.id)})
            return show_team(transaction, the_team(transaction, str(member.team_id)), member.role)

        return await self._storage.write(work)

    async def resend(self, invite_id: str, people: Sequence[UUID]) -> None:
        """Send an invite once more, with another token and a week of its own; the old link opens nothing any more.

        Raises:
            NotFound: There is no such invite.
            Forbidden: It is not theirs to say, the team is deactivated, or its owner's plan has no teams.
            BadRequest: It is used or cancelled.
            TooManyRequests: The address, or who asks, has had the invites of this hour.
        """

        def may(transaction: Transaction) -> tuple[str, UUID]:
            asked, team = _the_invite(transaction, invite_id)
            return asked.email, self._leading(transaction, team, people).user_id

        email, sender_id = await self._storage.read(may)
        self._postage.check(email, sender_id)

        def work(transaction: Transaction) -> None:
            asked, team = _the_invite(transaction, invite_id)
            acting = self._leading(transaction, team, people)
            again, token = resend_invite(transaction, asked.id)
            self._post(transaction, team, again, token)
            self._note(transaction, "topics.team_invite_sent", acting, {"invite": str(asked.id), "role": asked.role})

        await self._storage.write(work)
        self._postage.note(email, sender_id)

    async def cancel(self, invite_id: str, people: Sequence[UUID]) -> None:
        """Ask no more: the link opens nothing.

        Raises:
            NotFound: There is no such invite.
            Forbidden: It is not theirs to say.
            BadRequest: It is used or cancelled already.
        """

        def work(transaction: Transaction) -> None:
            asked, team = _the_invite(transaction, invite_id)
            acting = standing(transaction, team, people, LEADERS)
            cancel_invite(transaction, asked.id)
            self._note(transaction, "topics.team_invite_cancelled", acting, {"invite": str(asked.id)})

        await self._storage.write(work)

    # --- What they share -------------------------------------------------------------------------------------------

    def _leading(self, transaction: Transaction, team: Team, people: Sequence[UUID]) -> Member:
        """Who of those who ask may have others join: the team is active, and its owner's plan has teams."""
        acting = standing(transaction, team, people, LEADERS)
        if not team.is_active:
            raise Forbidden(f"The team '{team.name}' is deactivated")
        owner = find_user(transaction, user_id=team.owner_id)
        if owner is not None:
            self._plan_allows("teams", Payer(owner.id, owner.tier), "Teams")
        return acting

    def _post(self, transaction: Transaction, team: Team, asked: Invite, token: str) -> Message:
        inviter = find_user(transaction, user_id=asked.invited_by_id)
        user = find_user(transaction, email=asked.email)
        letter = team_invite_letter(
            self._context.frontend_url or self._context.link_url,
            to=asked.email,
            token=token,
            team=team.name,
            inviter=inviter.username if inviter is not None else "Somebody",
            user_id=None if user is None else user.id,
        )
        self._context.mail.send(transaction, letter)
        return letter

    def _unsent(self, transaction: Transaction) -> Mapping[UUID, str]:
        """The links of invites whose letters were not sent, by invite."""
        links: dict[UUID, str] = {}
        for unsent in self._context.mail.links(transaction, kind=LETTER):
            token = next(iter(parse_qs(urlsplit(unsent.url).query).get("token", ())), None)
            asked = None if token is None else find_invite(transaction, token=token)
            if asked is not None:
                links.setdefault(asked.id, unsent.url)
        return links

    def _note(self, transaction: Transaction, action: str, acting: Member, detail: Mapping[str, str]) -> None:
        self._audit.record(
            transaction, action, actor=str(acting.user_id), target=str(acting.team_id), detail=dict(detail)
        )


def _user_id(text: str) -> UUID:
    user_id = read_id(text)
    if user_id is None:
        raise NotFound("They are not in this team")
    return user_id


def _the_invite(transaction: Transaction, invite_id: str) -> tuple[Invite, Team]:
    """The invite of an id as a path has it, with its team."""
    id_ = read_id(invite_id)
    asked = None if id_ is None else find_invite(transaction, invite_id=id_)
    if asked is None:
        raise NotFound("There is no such invite")
    return asked, the_team(transaction, str(asked.team_id))


def _is_asked(transaction: Transaction, asked: Invite, user_id: UUID) -> bool:
    user = find_user(transaction, user_id=user_id)
    return user is not None and user.email is not None and fold_email(user.email) == fold_email(asked.email)

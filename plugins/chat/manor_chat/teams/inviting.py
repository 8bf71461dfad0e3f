"""Asking people into a team by mail."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from manor import BadRequest, Conflict, Refused, Transaction, check_email, find_user, invite, team_invite_letter
from manor_chat import faults
from manor_chat.parts import Shared
from manor_chat.store.people import Person
from manor_chat.store.teams import ChatTeam


class Inviting:
    """Sends the letters, in the transaction that keeps the invites."""

    def __init__(self, shared: Shared) -> None:
        self._context = shared.context

    def invite(
        self, transaction: Transaction, team: ChatTeam, emails: Sequence[str], *, by: Person, is_graceful: bool
    ) -> list[dict[str, Any]]:
        """Ask people into a team; who is in it already, or is asked already, is not asked again.

        Args:
            transaction: A writing one.
            team: Which.
            emails: Where they are asked.
            by: Who asks.
            is_graceful: Whether an address that cannot be one is told rather than refusing all.

        Returns:
            Each address with its error, or None.

        Raises:
            BadRequest: 400: one of them is no address, or not of the team's domains.
        """
        outcome: list[dict[str, Any]] = []
        for email in emails:
            try:
                check_email(email)
                if not team.takes(email):
                    raise BadRequest("The team is for addresses of other domains.")
                self._ask(transaction, team, email, by)
            except Conflict:
                outcome.append({"email": email, "error": None})
            except Refused as refused:
                if not is_graceful:
                    raise faults.bad_body_param("user_email") from refused
                outcome.append({"email": email, "error": _told(refused)})
            else:
                outcome.append({"email": email, "error": None})
        return outcome

    def _ask(self, transaction: Transaction, team: ChatTeam, email: str, by: Person) -> None:
        _, token = invite(transaction, team.id, email=email, role="member", invited_by_id=by.id)
        user = find_user(transaction, email=email)
        letter = team_invite_letter(
            self._context.frontend_url or self._context.link_url,
            to=email,
            token=token,
            team=team.display_name,
            inviter=by.handle,
            user_id=None if user is None else user.id,
        )
        self._context.mail.send(transaction, letter)


def _told(refused: Refused) -> dict[str, Any]:
    return {
        "id": "api.team.invite_members.invalid_email.app_error",
        "message": refused.detail,
        "detailed_error": "",
        "status_code": 400,
    }

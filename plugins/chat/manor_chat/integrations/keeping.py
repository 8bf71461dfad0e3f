"""Who keeps webhooks, in which both kinds are alike."""

from __future__ import annotations

from dataclasses import dataclass
from uuid import UUID

from manor import Transaction
from manor_chat import faults
from manor_chat.ids import read_ids
from manor_chat.rights import Rights
from manor_chat.store.people import find_person
from manor_chat.store.teams import is_in_team


@dataclass(frozen=True)
class Keepers:
    """Who keeps webhooks of one kind.

    Args:
        own: The permission for one's own.
        others: The one for everybody's.
    """

    own: str
    others: str

    def sees_all(self, rights: Rights, team_id: UUID | None) -> bool:
        """Whether somebody sees everybody's in a team, or in all teams, rather than their own.

        Raises:
            Forbidden: 403: they see none.
        """
        if team_id is None:
            rights.require(self.own)
            return rights.may(self.others)
        rights.require_in_team(self.own, team_id)
        return rights.may_in_team(self.others, team_id)

    def require(self, rights: Rights, team_id: UUID, owner_id: UUID) -> None:
        """See that somebody may keep those of this owner in a team.

        Raises:
            Forbidden: 403.
        """
        rights.require_in_team(self.own, team_id)
        if owner_id != rights.user_id:
            rights.require_in_team(self.others, team_id)

    def require_to_speak_for(self, transaction: Transaction, rights: Rights, team_id: UUID, owner_id: UUID) -> None:
        """See that somebody may make one in a team that is this person's.

        Raises:
            NotFound: 404: there is no such person.
            Forbidden: 403.
        """
        self.require(rights, team_id, owner_id)
        if owner_id == rights.user_id:
            return
        speaker = find_person(transaction, owner_id)
        if speaker is None:
            raise faults.missing_user()
        if speaker.is_admin or not is_in_team(transaction, team_id, owner_id):
            # What a webhook may is what its owner may; and who is not in a team has nothing said for them there.
            rights.require("manage_system")


INCOMING = Keepers("manage_incoming_webhooks", "manage_others_incoming_webhooks")
OUTGOING = Keepers("manage_outgoing_webhooks", "manage_others_outgoing_webhooks")


def check_stays(team_id: UUID, wanted: str) -> None:
    """See that a change leaves a webhook in its team.

    Raises:
        BadRequest: 400.
    """
    if wanted and read_ids([wanted]) != [team_id]:
        raise faults.bad_value("api.webhook.team_mismatch.app_error", "A webhook stays in its team.")

"""Group channels."""

from __future__ import annotations

from collections.abc import Sequence
from uuid import UUID

from manor import Transaction
from manor_chat import faults
from manor_chat.rights import Rights
from manor_chat.store.channels import GROUP, member_ids
from manor_chat.store.teams import ChatTeam, teams_of_all


def common_teams(transaction: Transaction, rights: Rights, channel_id: UUID) -> Sequence[ChatTeam]:
    """The teams that everybody in a group channel is in: it could become a channel of one of them.

    Raises:
        NotFound: 404: there is no such channel.
        Forbidden: 403: they are not in it.
        BadRequest: 400: it is no group channel.
    """
    channel = rights.readable_channel(channel_id)
    if channel.type != GROUP:
        raise faults.bad_value("app.channel.get_common_teams.incorrect_type", "The channel is no group channel.")
    return teams_of_all(transaction, member_ids(transaction, channel_id))

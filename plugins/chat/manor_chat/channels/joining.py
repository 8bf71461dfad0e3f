"""Who may come into a channel and who may be let out of it, by the API."""

from __future__ import annotations

from collections.abc import Sequence
from uuid import UUID

from manor import NotFound, Transaction
from manor_chat import faults
from manor_chat.channels.membership import join_channel, leave_channel
from manor_chat.rights import Rights
from manor_chat.store.channels import OPEN, Channel, ChannelMember, find_member
from manor_chat.store.people import find_people, find_person
from manor_chat.store.teams import team_members_among


def add_people(
    transaction: Transaction, rights: Rights, channel_id: UUID, user_ids: Sequence[UUID], root_id: UUID | None
) -> list[ChannelMember]:
    """Have people in a channel of a team; who is in it already stays, and is in the answer too.

    One alone is refused for what is wrong with them; of several, those who are not in the team are left out.

    Args:
        transaction: The caller's.
        rights: Of whoever adds them, perhaps themselves.
        channel_id: Which channel.
        user_ids: Who.
        root_id: The post that those that say so answer.

    Raises:
        NotFound: 404: there is no such channel, or nobody of that id, or not in the team.
        Forbidden: 403: they may not.
        BadRequest: 400: it is archived or a channel of people, or nobody of several could be added.
    """
    channel = rights.channel(channel_id)
    _require_to_add(rights, channel, user_ids)
    if channel.team_id is None:
        raise faults.bad_value(
            "api.channel.add_user_to_channel.type.app_error", "Nobody is added to direct and group channels."
        )
    if channel.delete_at:
        raise faults.bad_value(
            "api.channel.add_user.to.channel.failed.deleted.app_error", "Nobody is added to an archived channel."
        )
    people = find_people(transaction, user_ids)
    in_team = team_members_among(transaction, channel.team_id, user_ids)
    welcome = [people[each] for each in user_ids if each in people and each in in_team]
    if not welcome:
        raise _unwelcome(user_ids, people.keys())
    return [join_channel(transaction, channel, each, by=rights.person, root_id=root_id) for each in welcome]


def remove_person(transaction: Transaction, rights: Rights, channel_id: UUID, user_id: UUID) -> None:
    """Have somebody out of a channel of a team: everybody may leave, some may remove others.

    Raises:
        NotFound: 404: there is no such channel, or they are not in it.
        Forbidden: 403: they may not.
        BadRequest: 400: it is the team's default channel, or a channel of people.
    """
    channel = rights.channel(channel_id)
    if user_id != rights.user_id:
        rights.require_in_channel(_manage_members(channel), channel)
    if channel.team_id is None:
        raise faults.bad_value(
            "api.channel.remove_channel_member.type.app_error", "Nobody leaves direct and group channels."
        )
    person = find_person(transaction, user_id)
    if person is None or find_member(transaction, channel_id, user_id) is None:
        raise faults.missing_member()
    if channel.is_default:
        raise faults.bad_value(
            "api.channel.remove.default.app_error", f"Nobody leaves the default channel {channel.name}."
        )
    leave_channel(transaction, channel, person, by=rights.person)


def _require_to_add(rights: Rights, channel: Channel, user_ids: Sequence[UUID]) -> None:
    if channel.type == OPEN and channel.team_id is not None and list(user_ids) == [rights.user_id]:
        rights.require_in_team("join_public_channels", channel.team_id)
        return
    rights.require_in_channel(_manage_members(channel), channel)


def _manage_members(channel: Channel) -> str:
    return "manage_public_channel_members" if channel.type == OPEN else "manage_private_channel_members"


def _unwelcome(user_ids: Sequence[UUID], known: object) -> Exception:
    if len(user_ids) > 1:
        return faults.bad_value("api.channel.add_members.error", "None of them could be added to the channel.")
    if not known:
        return faults.missing_user()
    return NotFound("They are not in this channel's team", code="app.team.get_member.missing.app_error")

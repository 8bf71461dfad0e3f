"""New channels: of a team, of two people, of a group."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from uuid import UUID

import msgspec

from manor import BadRequest, Transaction, new_id
from manor_chat import faults
from manor_chat.channels.membership import say_joined, seat
from manor_chat.domain.channel_rules import OF_GROUP, Misfit, direct_name, group_display_name, group_name, misfit_of
from manor_chat.ids import shown_id
from manor_chat.rights import Rights
from manor_chat.store.channels import (
    DIRECT,
    GROUP,
    OPEN,
    Channel,
    add_channel,
    find_channel,
    find_channel_by_name,
)
from manor_chat.store.people import Person, find_people
from manor_chat.store.teams import sharing_team
from manor_chat.telling import as_text, tell
from manor_chat.times import to_milliseconds


class NewChannel(msgspec.Struct, frozen=True, kw_only=True):
    """A channel that somebody wants in a team; `type` is O or P."""

    team_id: UUID
    name: str
    display_name: str
    type: str
    header: str
    purpose: str


def make_channel(transaction: Transaction, rights: Rights, new: NewChannel) -> Channel:
    """Make a channel in a team; whoever makes it is in it, and leads it.

    Raises:
        NotFound: 404: there is no such team.
        Forbidden: 403: they may not.
        BadRequest: 400: it cannot be called so, or one of the team's is.
    """
    require_team(rights, new.team_id)
    kind = "public" if new.type == OPEN else "private"
    rights.require_in_team(f"create_{kind}_channel", new.team_id)
    said = {"name": new.name, "display_name": new.display_name, "header": new.header, "purpose": new.purpose}
    check(misfit_of(said))
    check_free(transaction, new.team_id, new.name)
    now = to_milliseconds(transaction.now)
    members = msgspec.structs.asdict(new)
    channel = Channel(id=new_id(), creator_id=rights.user_id, create_at=now, update_at=now, **members)
    add_channel(transaction, channel)
    seat(transaction, channel, [rights.user_id], is_admin=True)
    told = {"channel_id": shown_id(channel.id), "team_id": shown_id(channel.team_id)}
    tell(transaction, "channel_created", told, user_id=rights.user_id)
    say_joined(transaction, channel, rights.person, None)
    return _as_it_is(transaction, channel)


def open_direct(transaction: Transaction, rights: Rights, user_ids: Sequence[UUID], *, within_teams: bool) -> Channel:
    """The channel of two people, or of one with themselves; made when it is opened first.

    Args:
        transaction: The caller's.
        rights: Of one of the two, or of an administrator.
        user_ids: The two.
        within_teams: Whether a new one is only for people who share a team.

    Raises:
        NotFound: 404: one of them is not there.
        Forbidden: 403: they may not.
    """
    people = _people(transaction, user_ids)
    rights.require("create_direct_channel")
    if rights.user_id not in people and not rights.may("manage_system"):
        raise faults.no_permission()
    one, other = (shown_id(each) for each in user_ids)
    name = direct_name(one, other)
    known = find_channel_by_name(transaction, None, name)
    if known is not None:
        return known
    if within_teams:
        _check_share_team(transaction, rights, people.keys())
    channel = _of_people(transaction, rights, DIRECT, name, "", list(people))
    # Whom it is opened with: of a channel that an administrator opens for two others, the second.
    mate = next((each for each in reversed(user_ids) if each != rights.user_id), rights.user_id)
    told = {"creator_id": shown_id(rights.user_id), "teammate_id": shown_id(mate)}
    tell(transaction, "direct_added", told, channel_id=channel.id)
    return channel


def open_group(transaction: Transaction, rights: Rights, user_ids: Sequence[UUID], *, within_teams: bool) -> Channel:
    """The channel of three to eight people, the caller among them; made when it is opened first.

    Args:
        transaction: The caller's.
        rights: Of whoever asks, who need not be named.
        user_ids: The people.
        within_teams: Whether a new one is only for people who share a team with whoever asks.

    Raises:
        BadRequest: 400: they are too few or too many.
        NotFound: 404: one of them is not there.
        Forbidden: 403: they may not.
    """
    everybody = list(dict.fromkeys((*user_ids, rights.user_id)))
    if len(everybody) not in OF_GROUP:
        raise faults.bad_value(
            "api.channel.create_group.bad_size.app_error",
            f"Group message channels must contain at least {OF_GROUP[0]} and no more than {OF_GROUP[-1]} users.",
        )
    people = _people(transaction, everybody)
    rights.require("create_group_channel")
    name = group_name(shown_id(each) for each in everybody)
    known = find_channel_by_name(transaction, None, name)
    if known is not None:
        return known
    if within_teams:
        _check_share_team(transaction, rights, people.keys())
    called = group_display_name([person.handle for person in people.values()])
    channel = _of_people(transaction, rights, GROUP, name, called, everybody)
    told = {"teammate_ids": as_text([shown_id(each) for each in everybody])}
    tell(transaction, "group_added", told, channel_id=channel.id)
    return channel


def require_team(rights: Rights, team_id: UUID) -> None:
    """See that there is such a team and that it is not switched off.

    Raises:
        NotFound: 404.
    """
    if not rights.team(team_id).is_active:
        raise faults.missing_team()


def check(misfit: Misfit | None) -> None:
    """Refuse what a channel cannot be.

    Raises:
        BadRequest: 400, with the id of what is wrong.
    """
    if misfit is not None:
        raise faults.bad_value(misfit.code, misfit.detail)


def check_free(transaction: Transaction, team_id: UUID, name: str) -> None:
    """See that no channel of a team has this name, an archived one neither.

    Raises:
        BadRequest: 400, with the id that clients compare.
    """
    if find_channel_by_name(transaction, team_id, name) is not None:
        raise name_taken()


def name_taken() -> BadRequest:
    """400: the team has a channel of this name, archived perhaps."""
    return faults.bad_value(
        "store.sql_channel.save_channel.exists.app_error", "A channel with that name already exists on the same team."
    )


def _people(transaction: Transaction, user_ids: Sequence[UUID]) -> dict[UUID, Person]:
    people = find_people(transaction, user_ids)
    if not people.keys() >= set(user_ids):
        raise faults.missing_user()
    return people


def _check_share_team(transaction: Transaction, rights: Rights, user_ids: Iterable[UUID]) -> None:
    others = set(user_ids) - {rights.user_id}
    if not rights.may("manage_system") and sharing_team(transaction, rights.user_id, others) != others:
        raise faults.no_permission()


def _of_people(
    transaction: Transaction, rights: Rights, kind: str, name: str, display_name: str, user_ids: Sequence[UUID]
) -> Channel:
    now = to_milliseconds(transaction.now)
    channel = Channel(
        id=new_id(),
        team_id=None,
        type=kind,
        name=name,
        display_name=display_name,
        creator_id=rights.user_id,
        create_at=now,
        update_at=now,
    )
    add_channel(transaction, channel)
    seat(transaction, channel, user_ids)
    return channel


def _as_it_is(transaction: Transaction, channel: Channel) -> Channel:
    """A channel with what the posts about it changed."""
    return find_channel(transaction, channel.id) or channel

"""What a team has in chat whoever made it, by whatever API: settings, default channels, and everybody in them."""

from __future__ import annotations

from uuid import UUID

from sqlalchemy import ColumnElement, delete, insert, select

from manor import Transaction, members_table, new_id, teams_table
from manor_chat.channels.membership import join_channel, leave_channel
from manor_chat.ids import new_token, shown_id
from manor_chat.store.channels import CHANNEL, DEFAULT_CHANNELS, OPEN, Channel, add_channel
from manor_chat.store.people import Person, find_people
from manor_chat.store.teams import ChatTeam, find_team, is_in_team
from manor_chat.store.threads import unfollow_from_outside
from manor_chat.tables.channels import channel_members, channels
from manor_chat.tables.people import teams
from manor_chat.telling import tell
from manor_chat.times import to_milliseconds

_DISPLAY_NAMES = {"town-square": "Town Square", "off-topic": "Off-Topic"}


def keep_team(transaction: Transaction, team_id: UUID) -> ChatTeam | None:
    """See that a team has its settings and default channels, with everybody in them; None when there is no such team.

    Does nothing to a team that has them.
    """
    team = find_team(transaction, team_id)
    if team is not None:
        return team
    core = select(teams_table.c.owner_id).where(teams_table.c.id == team_id)
    owner_id = transaction.connection.execute(core).scalar_one_or_none()
    if owner_id is None:
        return None
    found_team(transaction, team_id, owner_id)
    members = select(members_table.c.user_id).where(members_table.c.team_id == team_id)
    for user_id in transaction.connection.execute(members).scalars().all():
        keep_member(transaction, team_id, user_id)
    return find_team(transaction, team_id)


def found_team(transaction: Transaction, team_id: UUID, owner_id: UUID) -> None:
    """Give a team that has none its settings and its default channels, with nobody in them yet."""
    now = to_milliseconds(transaction.now)
    transaction.connection.execute(
        insert(teams).values(
            team_id=team_id,
            type="I",
            allow_open_invite=False,
            invite_id=new_token(),
            company_name="",
            allowed_domains="",
            email="",
            update_at=now,
            delete_at=0,
            last_team_icon_update=0,
            icon=None,
        )
    )
    for name in DEFAULT_CHANNELS:
        channel = Channel(
            id=new_id(),
            team_id=team_id,
            type="O",
            name=name,
            display_name=_DISPLAY_NAMES[name],
            creator_id=owner_id,
            create_at=now,
            update_at=now,
        )
        add_channel(transaction, channel)


def keep_member(transaction: Transaction, team_id: UUID, user_id: UUID, *, by: Person | None = None) -> None:
    """See that somebody is in a team's default channels when they are in the team, and in none of its channels when
    they are not.

    Args:
        transaction: The caller's.
        team_id: Which team.
        user_id: Who.
        by: Who added or removed them; None for themselves.
    """
    person = find_people(transaction, [user_id]).get(user_id)
    if person is None:
        mine = select(channels.c.id).where(channels.c.team_id == team_id)
        gone = (channel_members.c.user_id == user_id) & channel_members.c.channel_id.in_(mine)
        transaction.connection.execute(delete(channel_members).where(gone))
        return
    theirs = select(channel_members.c.channel_id).where(channel_members.c.user_id == user_id)
    told = {"team_id": shown_id(team_id), "user_id": shown_id(user_id)}
    if is_in_team(transaction, team_id, user_id):
        # One that was made private since is for whom its members let in.
        is_public = (channels.c.type == OPEN) & (channels.c.delete_at == 0)
        is_default = channels.c.name.in_(DEFAULT_CHANNELS) & is_public
        missing = _channels(transaction, team_id, is_default & channels.c.id.not_in(theirs))
        if any(channel.is_default for channel in missing):
            # Nobody leaves the default channel but with the team: they have just come.
            tell(transaction, "added_to_team", told, user_id=user_id)
            for channel in missing:
                join_channel(transaction, channel, person, by=by, is_said=not person.is_bot)
        return
    left = _channels(transaction, team_id, channels.c.id.in_(theirs))
    for channel in left:
        leave_channel(transaction, channel, person, by=by, is_said=channel.is_default)
    # Whoever is in a team follows threads of its public channels without being in these.
    unfollow_from_outside(transaction, select(channels.c.id).where(channels.c.team_id == team_id), user_id)
    if left:
        tell(transaction, "leave_team", told, team_id=team_id, omit_users=(user_id,))
        tell(transaction, "leave_team", told, user_id=user_id)


def _channels(transaction: Transaction, team_id: UUID, condition: ColumnElement[bool]) -> list[Channel]:
    query = select(*CHANNEL).where(channels.c.team_id == team_id, condition).order_by(channels.c.id)
    return [Channel(**row) for row in transaction.connection.execute(query).mappings()]

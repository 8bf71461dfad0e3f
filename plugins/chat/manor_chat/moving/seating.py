"""Who is in which team and channel, as an import has it: nothing is told or posted, and nothing is unread."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import Any
from uuid import UUID

from sqlalchemy import func, insert, select
from sqlalchemy.dialects.sqlite import insert as upsert

from manor import Refused, Transaction, add_member, find_member
from manor_chat.domain.categories import FAVORITES, built_in_id
from manor_chat.domain.notify_props import OF_MEMBER, BadSetting, chosen
from manor_chat.events import ChannelMemberChanged
from manor_chat.ids import shown_id
from manor_chat.moving.known import Known
from manor_chat.moving.lines import HearingSaid, InChannelSaid, InTeamSaid, UserSaid
from manor_chat.moving.preferences import FAVORITE, THEME, fits
from manor_chat.moving.report import Tally
from manor_chat.store.channels import DEFAULT_CHANNELS, ChannelMember, add_members, find_channels
from manor_chat.store.posts import portions
from manor_chat.store.preferences import Preference, list_preferences, set_preferences
from manor_chat.tables.channels import channel_members
from manor_chat.tables.personal import preferences
from manor_chat.tables.sidebar import sidebar_channels
from manor_chat.times import to_milliseconds

HEARING = {
    "desktop": "desktop",
    "mobile": "push",
    "mark_unread": "mark_unread",
    "email": "email",
    "ignore_channel_mentions": "ignore_channel_mentions",
    "channel_auto_follow_threads": "channel_auto_follow_threads",
}
"""What the format calls the settings of how somebody hears of a channel, and what the API does."""

_GUESTS = "rights of guests (they are members now)"


def seat_people(transaction: Transaction, lines: Sequence[tuple[int, UserSaid]], known: Known) -> Tally:
    """Have people be in the teams and channels that their lines say."""
    tally = Tally()
    for line, said in lines:
        user_id = known.users.get(said.username.lower())
        if user_id is not None and said.teams:
            for team in said.teams:
                _seat_in_team(transaction, line, user_id, team, known, tally)
    return tally


def _seat_in_team(
    transaction: Transaction, line: int, user_id: UUID, said: InTeamSaid, known: Known, tally: Tally
) -> None:
    team_id = known.teams.get(said.name.lower())
    if team_id is None:
        tally.trouble(line, f"there is no team {said.name[:80]} to be in")
        return
    roles = (said.roles or "").split()
    if "team_guest" in roles:
        tally.left_out[_GUESTS] += 1
    member = find_member(transaction, team_id, user_id)
    if member is None:
        try:
            add_member(transaction, team_id, user_id, "admin" if "team_admin" in roles else "member")
        except Refused as refused:
            tally.trouble(line, f"team {said.name}: {refused.detail}")
            return
        tally.made["team members"] += 1
    else:
        tally.unchanged["team members"] += 1
    if said.theme:
        theme = Preference(category=THEME, name=shown_id(team_id), value=said.theme)
        if fits(theme):
            _prefer(transaction, user_id, [theme], tally)
        else:
            tally.trouble(line, f"team {said.name}: its theme cannot be that")
    _seat_in_channels(transaction, line, user_id, team_id, said, known, tally)


def _seat_in_channels(
    transaction: Transaction, line: int, user_id: UUID, team_id: UUID, said: InTeamSaid, known: Known, tally: Tally
) -> None:
    wanted: dict[UUID, InChannelSaid] = {}
    # Whoever is in a team is in this one, whatever the line says.
    for each in (InChannelSaid(name=DEFAULT_CHANNELS[0]), *(said.channels or ())):
        channel_id = known.channels.get((team_id, each.name.lower()))
        if channel_id is None:
            tally.trouble(line, f"there is no channel {each.name[:80]} in team {said.name[:80]} to be in")
        else:
            wanted[channel_id] = each
    hearing = {}
    for channel_id, each in wanted.items():
        try:
            hearing[channel_id] = _hearing(each.notify_props)
        except BadSetting as bad:
            tally.trouble(line, f"channel {each.name}: the setting {bad} cannot be that")
            hearing[channel_id] = {}
        if "channel_guest" in (each.roles or ""):
            tally.left_out[_GUESTS] += 1
    admins = {channel_id for channel_id, each in wanted.items() if "channel_admin" in (each.roles or "").split()}
    seats = [(channel_id, user_id) for channel_id in wanted]
    new = take_seats(transaction, seats, admins=admins, hearing=hearing)
    tally.made["channel members"] += new
    tally.unchanged["channel members"] += len(seats) - new
    favorites = [channel_id for channel_id, each in wanted.items() if each.favorite]
    have_favorites(transaction, user_id, {team_id: favorites}, tally)


def take_seats(
    transaction: Transaction,
    seats: Sequence[tuple[UUID, UUID]],
    *,
    admins: Collection[UUID] = (),
    hearing: Mapping[UUID, dict[str, str]] | None = None,
) -> int:
    """Put people into channels where they are not in them, with nothing unread.

    Args:
        transaction: The caller's.
        seats: The channel and the person.
        admins: Channels that they lead.
        hearing: How they hear of each channel.

    Returns:
        How many are new.
    """
    now = to_milliseconds(transaction.now)
    channel_ids = {channel_id for channel_id, _ in seats}
    channels = {each.id: each for some in portions(channel_ids) for each in find_channels(transaction, some).values()}
    taken = _taken(transaction, seats)
    new = [
        ChannelMember(
            channel_id=channel_id,
            user_id=user_id,
            is_admin=channel_id in admins,
            joined_at=now,
            last_viewed_at=now,
            last_update_at=now,
            msg_count=channels[channel_id].total_msg_count,
            msg_count_root=channels[channel_id].total_msg_count_root,
            notify_props=(hearing or {}).get(channel_id, {}),
        )
        for channel_id, user_id in seats
        if (channel_id, user_id) not in taken
    ]
    add_members(transaction, new)
    for member in new:
        # Not for sockets: for the memory of who is in which channel.
        transaction.emit(ChannelMemberChanged(channel_id=member.channel_id, user_id=member.user_id, is_member=True))
    return len(new)


def _taken(transaction: Transaction, seats: Sequence[tuple[UUID, UUID]]) -> set[tuple[UUID, UUID]]:
    users = {user_id for _, user_id in seats}
    found: set[tuple[UUID, UUID]] = set()
    for some in portions({channel_id for channel_id, _ in seats}):
        query = select(channel_members.c.channel_id, channel_members.c.user_id)
        query = query.where(channel_members.c.channel_id.in_(some), channel_members.c.user_id.in_(users))
        found |= {(row.channel_id, row.user_id) for row in transaction.connection.execute(query)}
    return found


def have_favorites(
    transaction: Transaction, user_id: UUID, wanted: Mapping[UUID, Iterable[UUID]], tally: Tally
) -> None:
    """Have channels be among somebody's favorites: in each team's sidebar, and as preferences."""
    everything = list(dict.fromkeys(each for channel_ids in wanted.values() for each in channel_ids))
    if not everything:
        return
    _prefer(
        transaction,
        user_id,
        [Preference(category=FAVORITE, name=shown_id(each), value="true") for each in everything],
        tally,
    )
    for team_id, channel_ids in wanted.items():
        category_id = built_in_id(FAVORITES, shown_id(user_id), shown_id(team_id))
        mine = (sidebar_channels.c.user_id == user_id) & (sidebar_channels.c.team_id == team_id)
        query = select(sidebar_channels.c.channel_id).where(mine)
        placed = set(transaction.connection.execute(query).scalars())
        last = select(func.coalesce(func.max(sidebar_channels.c.sort_order), -1)).where(
            mine, sidebar_channels.c.category_id == category_id
        )
        first = transaction.connection.execute(last).scalar_one() + 1
        rows = [
            {"user_id": user_id, "team_id": team_id, "channel_id": channel_id, "category_id": category_id}
            for channel_id in channel_ids
            if channel_id not in placed
        ]
        if rows:
            ordered = [row | {"sort_order": first + index} for index, row in enumerate(rows)]
            transaction.connection.execute(insert(sidebar_channels), ordered)


def prefer_for(transaction: Transaction, wanted: Sequence[dict[str, Any]]) -> int:
    """Have preferences that are not there: rows of the table. Returns how many are new."""
    if not wanted:
        return 0
    statement = upsert(preferences).on_conflict_do_nothing()
    return sum(transaction.connection.execute(statement, row).rowcount for row in wanted)


def _prefer(transaction: Transaction, user_id: UUID, wanted: Sequence[Preference], tally: Tally) -> None:
    known = {(each.category, each.name): each.value for each in list_preferences(transaction, user_id)}
    new = [each for each in wanted if known.get((each.category, each.name)) != each.value]
    set_preferences(transaction, user_id, new)
    tally.made["preferences"] += len(new)


def _hearing(said: HearingSaid | None) -> dict[str, str]:
    if said is None:
        return {}
    given = {ours: value for theirs, ours in HEARING.items() if (value := getattr(said, theirs)) is not None}
    return chosen(given, OF_MEMBER)

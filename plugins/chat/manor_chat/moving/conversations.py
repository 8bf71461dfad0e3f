"""Direct and group channels of an import, known by their people."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from uuid import UUID

from manor import Transaction, list_teams, new_id
from manor_chat.domain.channel_rules import OF_GROUP, group_display_name
from manor_chat.domain.names import HEADER
from manor_chat.ids import shown_id
from manor_chat.moving.known import ChannelKey, Known, look_up_channels_of_people, name_of_people
from manor_chat.moving.lines import DirectChannelSaid
from manor_chat.moving.preferences import DIRECT_SHOWN, GROUP_SHOWN
from manor_chat.moving.report import Tally
from manor_chat.moving.seating import have_favorites, prefer_for, take_seats
from manor_chat.store.channels import DIRECT, GROUP, Channel, add_channel, change_channel, find_channel
from manor_chat.store.people import find_people
from manor_chat.times import to_milliseconds


def keep_conversations(
    transaction: Transaction, lines: Sequence[tuple[int, DirectChannelSaid]], known: Known
) -> tuple[Tally, dict[ChannelKey, UUID]]:
    """Have the channels of people of some lines."""
    tally = Tally()
    peoples = [(line, said, _people(line, said.people, known, tally)) for line, said in lines]
    names = [name_of_people(people) for _, _, people in peoples if people]
    found = look_up_channels_of_people(transaction, names)
    for line, said, people in peoples:
        if not people:
            continue
        header = said.header or ""
        if len(header) > HEADER:
            tally.trouble(line, f"the header is longer than {HEADER} characters")
            header = ""
        key = (None, name_of_people(people))
        if key not in found:
            found[key] = make_conversation(transaction, people, header)
            tally.made["conversations"] += 1
        else:
            channel = find_channel(transaction, found[key])
            is_other = channel is not None and said.header is not None and channel.header != header
            if channel is not None and is_other:
                change_channel(transaction, channel, header=header, update_at=to_milliseconds(transaction.now))
            (tally.changed if is_other else tally.unchanged)["conversations"] += 1
        _arrange(transaction, said, found[key], people, known, tally)
    return tally, found


def keep_missing(
    transaction: Transaction, peoples: Collection[tuple[UUID, ...]]
) -> tuple[Tally, dict[ChannelKey, UUID]]:
    """Have the channels of those who wrote to each other, where no line says that there is one."""
    tally = Tally()
    found = look_up_channels_of_people(transaction, [name_of_people(people) for people in peoples])
    for people in peoples:
        key = (None, name_of_people(people))
        if key not in found:
            found[key] = make_conversation(transaction, people, "")
            tally.made["conversations"] += 1
    return tally, found


def make_conversation(transaction: Transaction, people: Sequence[UUID], header: str) -> UUID:
    """A new channel of these people, with all of them in it."""
    now = to_milliseconds(transaction.now)
    is_group = len(people) in OF_GROUP
    handles = [person.handle for person in find_people(transaction, people).values()]
    channel = Channel(
        id=new_id(),
        team_id=None,
        type=GROUP if is_group else DIRECT,
        name=name_of_people(people),
        display_name=group_display_name(handles) if is_group else "",
        header=header,
        create_at=now,
        update_at=now,
    )
    add_channel(transaction, channel)
    take_seats(transaction, [(channel.id, each) for each in people])
    return channel.id


def _people(line: int, usernames: Sequence[str], known: Known, tally: Tally) -> list[UUID]:
    if not usernames:
        tally.trouble(line, "nobody is in this conversation")
        return []
    people = known.people(usernames)
    if people is None:
        tally.trouble(line, "somebody in this conversation is not known here")
        return []
    if len(people) > OF_GROUP[-1]:
        tally.trouble(line, f"more than {OF_GROUP[-1]} people are in this conversation")
        return []
    return people


def _arrange(
    transaction: Transaction,
    said: DirectChannelSaid,
    channel_id: UUID,
    people: Sequence[UUID],
    known: Known,
    tally: Tally,
) -> None:
    """Have it among the favorites, and shown, of those who have it so."""
    for name in said.favorited_by or ():
        user_id = known.users.get(name.lower())
        if user_id is not None and user_id in people:
            teams = {team.id: [channel_id] for team in list_teams(transaction, user_id)}
            have_favorites(transaction, user_id, teams, tally)
    rows = []
    for name in said.shown_by or ():
        user_id = known.users.get(name.lower())
        if user_id is None or user_id not in people:
            continue
        mate = next((each for each in people if each != user_id), user_id)
        row = {"user_id": user_id, "category": DIRECT_SHOWN, "name": shown_id(mate), "value": "true"}
        rows.append(row if len(people) <= 2 else row | {"category": GROUP_SHOWN, "name": shown_id(channel_id)})
    tally.made["preferences"] += prefer_for(transaction, rows)

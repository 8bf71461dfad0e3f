"""Who and what an import knows by name."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from uuid import UUID

from sqlalchemy import select

from manor import Transaction, fold_email, teams_table, users_table
from manor_chat.domain.channel_rules import direct_name, group_name
from manor_chat.ids import shown_id
from manor_chat.store.posts import portions
from manor_chat.tables.channels import channels

ChannelKey = tuple[UUID | None, str]
"""A team's id and a channel's name; None for channels of people."""


class Known:
    """Ids by name, as far as they were looked up. Filled by units of work that only read, changed between them."""

    def __init__(self) -> None:
        self.users: dict[str, UUID] = {}
        self.bots: set[UUID] = set()
        self.teams: dict[str, UUID] = {}
        self.channels: dict[ChannelKey, UUID] = {}

    def channel_of(self, team: str, name: str) -> UUID | None:
        """A channel of a team, by their names."""
        team_id = self.teams.get(team.lower())
        return None if team_id is None else self.channels.get((team_id, name.lower()))

    def people(self, usernames: Iterable[str]) -> list[UUID] | None:
        """The ids of people, each once; None when one of them is not known."""
        found = [self.users.get(name.lower()) for name in usernames]
        ids = [each for each in found if each is not None]
        return list(dict.fromkeys(ids)) if len(ids) == len(found) else None


def name_of_people(ids: Collection[UUID]) -> str:
    """What the channel of these people is called; of one person it is the one with themselves."""
    shown = [shown_id(each) for each in ids]
    return direct_name(shown[0], shown[-1]) if len(shown) <= 2 else group_name(shown)


def look_up_users(transaction: Transaction, names: Collection[str]) -> tuple[dict[str, UUID], set[UUID]]:
    """Ids of people by what they are called, and which of them are bots; the server itself is nobody."""
    found: dict[str, UUID] = {}
    bots: set[UUID] = set()
    for some in portions(names):
        query = select(users_table.c.handle, users_table.c.id, users_table.c.is_bot)
        query = query.where(users_table.c.handle.in_(some), users_table.c.is_system.is_(False))
        for row in transaction.connection.execute(query):
            found[row.handle] = row.id
            if row.is_bot:
                bots.add(row.id)
    return found, bots


def look_up_emails(transaction: Transaction, emails: Collection[str]) -> dict[str, UUID]:
    """Who has which address, by the folded address."""
    found: dict[str, UUID] = {}
    for some in portions({fold_email(email) for email in emails}):
        query = select(users_table.c.email_folded, users_table.c.id).where(users_table.c.email_folded.in_(some))
        found |= {row.email_folded: row.id for row in transaction.connection.execute(query)}
    return found


def look_up_teams(transaction: Transaction, names: Collection[str]) -> dict[str, UUID]:
    """Ids of teams by name."""
    found: dict[str, UUID] = {}
    for some in portions(names):
        query = select(teams_table.c.name, teams_table.c.id).where(teams_table.c.name.in_(some))
        found |= {row.name: row.id for row in transaction.connection.execute(query)}
    return found


def look_up_channels(transaction: Transaction, team_ids: Collection[UUID]) -> dict[ChannelKey, UUID]:
    """Ids of all channels of teams, archived ones too."""
    found: dict[ChannelKey, UUID] = {}
    for some in portions(team_ids):
        query = select(channels.c.team_id, channels.c.name, channels.c.id).where(channels.c.team_id.in_(some))
        found |= {(row.team_id, row.name): row.id for row in transaction.connection.execute(query)}
    return found


def look_up_channels_of_people(transaction: Transaction, names: Collection[str]) -> dict[ChannelKey, UUID]:
    """Ids of direct and group channels by name."""
    found: dict[ChannelKey, UUID] = {}
    for some in portions(names):
        query = select(channels.c.name, channels.c.id).where(channels.c.team_id.is_(None), channels.c.name.in_(some))
        found |= {(None, row.name): row.id for row in transaction.connection.execute(query)}
    return found

"""People in chat for tests: as clients that are believed to be them, with teams, channels and posts."""

from __future__ import annotations

import tempfile
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any
from uuid import UUID

import trio.testing

from manor import NewUser, Principal, add_member, add_user, create_team, find_team, find_user, to_chat_id
from manor.testing import Client, House, SetClock, open_test_house
from manor_chat.posts.creating import NewPost, create_post
from manor_chat.store.channels import Channel, find_channel_by_name
from manor_chat.store.people import find_person
from manor_chat.teams.keeping import keep_member, keep_team
from tests.people import PASSWORD

API = "/api/v4"


@dataclass(frozen=True)
class Chatter:
    """Somebody who chats: `client` asks as them without a sign-in."""

    id: UUID
    chat_id: str
    username: str
    client: Client


def chatting_as(house: House, user_id: UUID, *, is_admin: bool = False) -> Client:
    """A client that is believed to be somebody."""
    return Client(house.dispatcher)(principals=[Principal("chat_session", user_id=user_id, is_admin=is_admin)])


async def chatter(house: House, username: str, *, is_admin: bool = False, is_bot: bool = False) -> Chatter:
    """A new person, with the password `PASSWORD`."""
    password_hash = None if is_bot else await house.services.identity.hasher.hash(PASSWORD)
    new = NewUser(
        username=username,
        email=None if is_bot else f"{username}@example.org",
        tier="FREE",
        password_hash=password_hash,
        is_admin=is_admin,
        is_bot=is_bot,
        is_verified=True,
    )
    user = await house.storage.write(lambda transaction: add_user(transaction, new))
    return Chatter(user.id, to_chat_id(user.id), username, chatting_as(house, user.id, is_admin=is_admin))


@dataclass(frozen=True)
class Crew:
    """The team `crew`: Ann owns it, Bob is a member; Eve is in no team; Ada administers the server."""

    house: House
    team_id: UUID
    town_square: Channel
    off_topic: Channel
    ann: Chatter
    bob: Chatter
    eve: Chatter
    ada: Chatter

    @property
    def team(self) -> str:
        """The team's id as chat writes it."""
        return to_chat_id(self.team_id)

    @classmethod
    async def gather(cls, house: House) -> Crew:
        """Make them, unless they are there."""
        if (known := await house.storage.read(_known)) is not None:
            people = {name: known_chatter(house, name, user_id) for name, user_id in known.people.items()}
            return cls(house, known.team_id, known.town_square, known.off_topic, **people)
        ann, bob, eve = [await chatter(house, name) for name in ("ann", "bob", "eve")]
        ada = await chatter(house, "ada", is_admin=True)

        def work(transaction: Any) -> tuple[UUID, Channel, Channel]:
            team = create_team(transaction, ann.id, name="crew", display_name="Crew")
            add_member(transaction, team.id, bob.id)
            keep_team(transaction, team.id)
            keep_member(transaction, team.id, bob.id)
            found = [find_channel_by_name(transaction, team.id, name) for name in ("town-square", "off-topic")]
            assert found[0] is not None
            assert found[1] is not None
            return team.id, found[0], found[1]

        team_id, town_square, off_topic = await house.storage.write(work)
        return cls(house, team_id, town_square, off_topic, ann, bob, eve, ada)


@dataclass(frozen=True)
class _Known:
    """A crew that is in the database already."""

    team_id: UUID
    town_square: Channel
    off_topic: Channel
    people: dict[str, UUID]


def _known(transaction: Any) -> _Known | None:
    team = find_team(transaction, name="crew")
    if team is None:
        return None
    square, topic = [find_channel_by_name(transaction, team.id, name) for name in ("town-square", "off-topic")]
    assert square is not None
    assert topic is not None
    users = {name: find_user(transaction, username=name) for name in ("ann", "bob", "eve", "ada")}
    return _Known(team.id, square, topic, {name: user.id for name, user in users.items() if user is not None})


def known_chatter(house: House, username: str, user_id: UUID) -> Chatter:
    """Somebody who is in the database already; Ada administers the server."""
    return Chatter(user_id, to_chat_id(user_id), username, chatting_as(house, user_id, is_admin=username == "ada"))


_DATABASES: dict[datetime, bytes] = {}


async def crew_database(clock: SetClock) -> bytes:
    """A database with the crew in it, made at that moment, with all that follows from it done."""
    now = clock.now()
    if now not in _DATABASES:
        with tempfile.TemporaryDirectory(prefix="manor-") as folder:
            async with open_test_house(Path(folder), plugins=["chat"], clock=clock) as house:
                await Crew.gather(house)
                await trio.testing.wait_all_tasks_blocked()
                path = house.storage.path
            _DATABASES[now] = path.read_bytes()
    return _DATABASES[now]


async def said(house: House, author: Chatter, channel: Channel, message: str, **more: Any) -> str:
    """The id of a post that somebody wrote, past the API."""

    def work(transaction: Any) -> str:
        person = find_person(transaction, author.id)
        assert person is not None
        return create_post(transaction, NewPost(channel=channel, author=person, message=message, **more)).shown.id

    return await house.storage.write(work)

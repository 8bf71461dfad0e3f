"""People in chat for tests: as clients that are believed to be them, with teams, channels and posts."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any
from uuid import UUID

from manor import NewUser, Principal, add_member, add_user, create_team, to_chat_id
from manor.testing import Client, House
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
        """Make them."""
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


async def said(house: House, author: Chatter, channel: Channel, message: str, **more: Any) -> str:
    """The id of a post that somebody wrote, past the API."""

    def work(transaction: Any) -> str:
        person = find_person(transaction, author.id)
        assert person is not None
        return create_post(transaction, NewPost(channel=channel, author=person, message=message, **more)).shown.id

    return await house.storage.write(work)

"""The people, teams and channels that chat's authorisation matrix is about, made past the API."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from sqlalchemy import update

from manor import (
    NewCredential,
    NewUser,
    Transaction,
    add_member,
    add_user,
    create_team,
    from_chat_id,
    issue,
    new_id,
    set_active,
    set_admin,
    set_role,
    set_team_active,
    to_chat_id,
)
from manor_chat.channels.membership import seat
from manor_chat.http.api import ACCESS_TOKEN
from manor_chat.ids import ACCESS_LETTER, new_token
from manor_chat.people.credentials import OF_BOT, OF_PERSON
from manor_chat.posts.creating import NewPost, create_post
from manor_chat.store.bots import BotRow, put_bot
from manor_chat.store.channels import Channel, add_channel, change_channel, find_channel, find_channel_by_name
from manor_chat.store.people import find_person
from manor_chat.tables.people import teams
from manor_chat.teams.keeping import keep_member, keep_team
from manor_chat.times import to_milliseconds

PEOPLE = ("eve", "tom", "bob", "cara", "ann", "ada", "dora", "carl", "fred", "gone")
IN_TEAM = ("tom", "bob", "cara", "dora", "carl", "bot")
IN_CHANNELS = ("bob", "bot")

PLACES = {
    "open": ("O", "team", IN_CHANNELS),
    "private": ("P", "team", IN_CHANNELS),
    "plain": ("P", "team", IN_CHANNELS),
    "archived": ("O", "team", IN_CHANNELS),
    "archived_private": ("P", "team", IN_CHANNELS),
    "off": ("O", "off_team", IN_CHANNELS),
    "foreign": ("O", "other_team", ()),
    "foreign_private": ("P", "other_team", ()),
    "direct": ("D", None, ("carl", "dora")),
    "group": ("G", None, ("carl", "dora", "fred")),
}
"""The type of each channel, its team, and who is in it; Cara leads those of the team."""


def mark(word: str) -> str:
    """What nobody sees who may not see what it stands in."""
    return f"zq{word}zq"


class World:
    """Who and what is always there.

    Attributes:
        known: The ids of people, teams and channels, as chat writes them.
        tokens: The secrets of those who have a token.
    """

    def __init__(self) -> None:
        self.known: dict[str, str] = {}
        self.tokens: dict[str, str] = {}

    def id_of(self, name: str) -> UUID:
        """The id of a person, a channel or a team."""
        found = from_chat_id(self.known[name])
        assert found is not None
        return found

    def build(self, transaction: Transaction) -> None:
        """Make it all."""
        for name in PEOPLE:
            self._keep(name, add_person(transaction, name).id)
        self._keep("bot", add_person(transaction, "bot", is_bot=True).id)
        put_bot(transaction, BotRow(user_id=self.id_of("bot"), owner_id=self.id_of("cara")))
        set_admin(transaction, self.id_of("ada"), True)
        for team, owner in (("team", "fred"), ("off_team", "ann"), ("other_team", "dora"), ("open_team", "dora")):
            self._keep(team, create_team(transaction, self.id_of(owner), name=_dashed(team), display_name=team).id)
            keep_team(transaction, self.id_of(team))
            keep_member(transaction, self.id_of(team), self.id_of(owner))
        everybody = teams.c.team_id == self.id_of("open_team")
        transaction.connection.execute(update(teams).where(everybody).values(type="O", allow_open_invite=True))
        for team, names in (("team", (*IN_TEAM, "ann", "gone")), ("off_team", ("bob", "bot", "cara"))):
            for name in names:
                self._join(transaction, team, name)
        set_role(transaction, self.id_of("team"), self.id_of("ann"), "admin")
        square = find_channel_by_name(transaction, self.id_of("team"), "town-square")
        assert square is not None
        self._keep("square", square.id)
        for place in PLACES:
            self._keep(place, self.channel(transaction, place, name=_dashed(place)).id)
            self.post(transaction, place, _writer(place))
        set_team_active(transaction, self.id_of("off_team"), False)
        for name, scope in (("bot", OF_BOT), ("gone", OF_PERSON)):
            self.tokens[name] = new_token(ACCESS_LETTER)
            new = NewCredential(kind=ACCESS_TOKEN, user_id=self.id_of(name), label="l", scopes=(scope,))
            issue(transaction, new, self.tokens[name])
        set_active(transaction, self.id_of("gone"), False)

    def _keep(self, name: str, id_: UUID) -> None:
        self.known[name] = to_chat_id(id_)

    def _join(self, transaction: Transaction, team: str, name: str) -> None:
        add_member(transaction, self.id_of(team), self.id_of(name))
        keep_member(transaction, self.id_of(team), self.id_of(name))

    def channel(self, transaction: Transaction, place: str, *, name: str) -> Channel:
        """A channel of a place's kind, with its people in it."""
        kind, team, names = PLACES[place]
        now = to_milliseconds(transaction.now)
        shown = "" if team is None else f"{mark(place)} {name}"
        made = Channel(
            id=new_id(),
            team_id=None if team is None else self.id_of(team),
            type=kind,
            name=name,
            display_name=shown,
            header=mark(place),
            creator_id=self.id_of("cara"),
            create_at=now,
            update_at=now,
        )
        add_channel(transaction, made)
        seat(transaction, made, [self.id_of(each) for each in names])
        if team in ("team", "off_team"):
            seat(transaction, made, [self.id_of("cara")], is_admin=True)
        return made

    def archive(self, transaction: Transaction, channel_id: UUID) -> None:
        """Archive a channel."""
        channel = find_channel(transaction, channel_id)
        assert channel is not None
        change_channel(transaction, channel, delete_at=to_milliseconds(transaction.now))

    def post(self, transaction: Transaction, place: str, writer: str, **more: Any) -> UUID:
        """The id of a post that bears its place's mark; an archived channel is opened for it."""
        channel = find_channel(transaction, self.id_of(place))
        person = find_person(transaction, self.id_of(writer))
        assert channel is not None
        assert person is not None
        if channel.delete_at:
            channel = change_channel(transaction, channel, delete_at=0)
        made = create_post(
            transaction, NewPost(channel=channel, author=person, message=mark(place), set_online=False, **more)
        )
        if place.startswith("archived"):
            self.archive(transaction, channel.id)
        return made.post.id


def _dashed(name: str) -> str:
    return name.replace("_", "-")


def _writer(place: str) -> str:
    return {"foreign": "dora", "foreign_private": "dora", "direct": "carl", "group": "carl"}.get(place, "cara")


def add_person(transaction: Transaction, name: str, *, is_bot: bool = False) -> Any:
    email = None if is_bot else f"{name}@example.org"
    return add_user(transaction, NewUser(username=name, email=email, tier="FREE", is_bot=is_bot, is_verified=True))

"""A daemon with a crowd that chats: one team, one channel that everybody is in, a token for each."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from uuid import UUID

import msgspec

from bench.closed_house import furnish
from bench.processes import Target
from bench.server import CHAT, Server
from manor import NewCredential, NewUser, Transaction, add_member, add_user, create_team, issue, to_chat_id
from manor.house import House
from manor_chat.ids import new_token
from manor_chat.store.channels import find_channel_by_name
from manor_chat.teams.keeping import keep_member, keep_team


class Crowd(msgspec.Struct, frozen=True):
    """Who listens.

    Args:
        channel: Its id.
        tokens: One of each person.
    """

    channel: str
    tokens: list[str]


@contextmanager
def chatting(scratch: Path, people: int) -> Iterator[tuple[Target, Crowd]]:
    """A daemon for chat alone, on its core, with so many people; its data is on that disk."""
    crowds: list[Crowd] = []

    def gather(config: Path) -> None:
        crowds.append(furnish(config, lambda house: _gather(house, people)))

    with Server(scratch, plugins={"chat": CHAT, "topics": {"enabled": False}}, furnish=gather) as server:
        yield server.target, crowds[0]


async def _gather(house: House, people: int) -> Crowd:
    return await house.storage.write(lambda transaction: _crowd(transaction, people))


def _crowd(transaction: Transaction, people: int) -> Crowd:
    ids: list[UUID] = []
    tokens: list[str] = []
    for number in range(people):
        name = f"bench{number}"
        new = NewUser(username=name, email=f"{name}@example.org", tier="FREE", password_hash=None, is_verified=True)
        ids.append(add_user(transaction, new).id)
        tokens.append(new_token("p"))
        issue(transaction, NewCredential(kind="pat", user_id=ids[-1], scopes=("*",)), tokens[-1])
    team = create_team(transaction, ids[0], name="bench", display_name="Bench")
    keep_team(transaction, team.id)
    for user_id in ids[1:]:
        add_member(transaction, team.id, user_id)
        keep_member(transaction, team.id, user_id)
    channel = find_channel_by_name(transaction, team.id, "off-topic")
    assert channel is not None, "every team has it"
    return Crowd(to_chat_id(channel.id), tokens)

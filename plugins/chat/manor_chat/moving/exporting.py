"""An export: all of chat as lines, and what they name, in a zip.

It is made of a copy of the tables, so that it is of one moment and nobody waits for it. Files come after the lines,
from the store as it is then.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from contextlib import ExitStack
from importlib.metadata import version
from pathlib import Path
from typing import IO, Any
from uuid import UUID

import trio
from sqlalchemy import Select, select

from manor import Blobs, BlobsFailed, NoSuchBlob, Storage, Transaction, open_copy, users_table
from manor_chat.ids import shown_id
from manor_chat.moving.archive import Archive, new_archive
from manor_chat.moving.known import name_of_people
from manor_chat.moving.lines import (
    FORMAT_VERSION,
    ChannelSaid,
    DirectChannelSaid,
    EmojiSaid,
    InfoSaid,
    Line,
    TeamSaid,
    write_line,
)
from manor_chat.moving.preferences import DIRECT_SHOWN, FAVORITE, GROUP_SHOWN
from manor_chat.moving.report import Report, Tally
from manor_chat.moving.telling_people import Names, bot_lines, people_lines, picture_path
from manor_chat.moving.telling_posts import PostTeller, alive_roots, file_path
from manor_chat.parts import Shared
from manor_chat.store.channels import CHANNEL, DIRECT, Channel
from manor_chat.store.people import Person, person_of, select_people
from manor_chat.store.posts import POST, Post
from manor_chat.store.teams import select_teams, team_of
from manor_chat.tables.channels import channel_members, channels
from manor_chat.tables.emoji import emojis
from manor_chat.tables.people import profiles
from manor_chat.tables.personal import preferences
from manor_chat.tables.posts import files, posts

AT_ONCE = 200

_ENDINGS = {"image/gif": "gif", "image/jpeg": "jpg"}


async def export_bundle(shared: Shared, path: Path, *, with_files: bool) -> Report:
    """Write all of chat into a zip.

    Args:
        shared: What all parts use.
        path: The zip; absolute. It is there once it is whole.
        with_files: Whether files, pictures and emoji go into it.

    Raises:
        BadRequest: The path is not absolute.
        Conflict: Something is there.
        NotFound: There is no such folder.
        Forbidden: This user may not write there.
        StorageFull: The disk is full.
    """
    context = shared.context
    with ExitStack() as stack:
        archive = await trio.to_thread.run_sync(stack.enter_context, new_archive(path))
        async with open_copy(context.storage, context.data_dir, clock=context.clock) as copy:
            created = context.clock.now().isoformat()
            exporting = _Exporting(copy, context.blobs, archive, with_files=with_files)
            await exporting.run(created)
        await trio.to_thread.run_sync(stack.close)
        return exporting.tally.report()


class _Exporting:
    """One export on its way."""

    def __init__(self, storage: Storage, blobs: Blobs, archive: Archive, *, with_files: bool) -> None:
        self._storage = storage
        self._blobs = blobs
        self._archive = archive
        self._with_files = with_files
        self._names = Names()
        self._conversations: dict[UUID, list[str]] = {}
        self._stream: IO[bytes]
        self.tally = Tally()

    async def run(self, created: str) -> None:
        await self._storage.write(_index_flags)
        with self._archive.lines() as self._stream:
            info = InfoSaid(generator="manor", version=version("manor"), created=created)
            await self._say([Line(type="version", version=FORMAT_VERSION, info=info)])
            await self._say_teams()
            await self._say_channels()
            await self._say_people()
            if self._with_files:
                await self._say_emoji()
            await self._say_posts(channels.c.team_id.is_not(None))
            await self._say_conversations()
            await self._say_posts(channels.c.team_id.is_(None))
        if self._with_files:
            await self._copy_files()

    async def _say(self, lines: Sequence[Line]) -> None:
        self.tally.lines += len(lines)
        await trio.to_thread.run_sync(_write, self._stream, lines)

    async def _batches(self, query: Select[Any]) -> AsyncIterator[list[Any]]:
        """The rows of a query by the names of their columns, some at a time."""
        async with self._storage.stream(query, chunk=AT_ONCE) as rows:
            batch: list[Any] = []
            async for row in rows:
                batch.append(row._asdict())
                if len(batch) == AT_ONCE:
                    yield batch
                    batch = []
            if batch:
                yield batch

    # --- Teams, channels, people -----------------------------------------------------------------------------------

    async def _say_teams(self) -> None:
        async for batch in self._batches(select_teams().order_by("team_name")):
            lines = []
            for team in (team_of(row) for row in batch):
                if team.delete_at:
                    self.tally.left_out["archived teams"] += 1
                    continue
                self._names.teams[team.id] = team.name
                said = TeamSaid(
                    name=team.name,
                    display_name=team.display_name,
                    type=team.type,
                    description=team.description or None,
                    allow_open_invite=team.allow_open_invite,
                )
                lines.append(Line(type="team", team=said))
            self.tally.made["teams"] += len(lines)
            await self._say(lines)

    async def _say_channels(self) -> None:
        query = select(*CHANNEL).where(channels.c.team_id.is_not(None)).order_by(channels.c.team_id, channels.c.name)
        async for batch in self._batches(query):
            lines = []
            for channel in (Channel(**row) for row in batch):
                if channel.team_id is None or channel.team_id not in self._names.teams:
                    continue
                self._names.channels[channel.id] = channel.team_id, channel.name
                said = ChannelSaid(
                    team=self._names.teams[channel.team_id],
                    name=channel.name,
                    display_name=channel.display_name,
                    type=channel.type,
                    header=channel.header or None,
                    purpose=channel.purpose or None,
                    deleted_at=channel.delete_at or None,
                )
                lines.append(Line(type="channel", channel=said))
            self.tally.made["channels"] += len(lines)
            await self._say(lines)

    async def _say_people(self) -> None:
        who = select_people().where(users_table.c.is_system.is_(False)).order_by(users_table.c.handle)
        async for batch in self._batches(select(users_table.c.id, users_table.c.handle, users_table.c.is_bot)):
            self._names.users |= {row["id"]: row["handle"] for row in batch}
            self._names.bots |= {row["id"] for row in batch if row["is_bot"]}
        system = await self._storage.read(_system_ids)
        for each in system:
            self._names.users.pop(each, None)
        for kind, is_bot in (("people", False), ("bots", True)):
            tell = bot_lines if is_bot else people_lines
            async for batch in self._batches(who.where(users_table.c.is_bot.is_(is_bot))):
                people: list[Person] = [person_of(row) for row in batch]

                def work(transaction: Transaction, people: Sequence[Person] = people, tell: Any = tell) -> list[Line]:
                    lines: list[Line] = tell(transaction, people, self._names, with_files=self._with_files)
                    return lines

                lines = await self._storage.read(work)
                self.tally.made[kind] += len(lines)
                await self._say(lines)
        seats = await self._storage.read(_seats_of_bots)
        self.tally.left_out["places of bots in channels"] += seats

    async def _say_emoji(self) -> None:
        async for batch in self._batches(select(emojis).order_by(emojis.c.name)):
            self.tally.made["emoji"] += len(batch)
            await self._say(
                [Line(type="emoji", emoji=EmojiSaid(name=row["name"], image=_emoji_path(row))) for row in batch]
            )

    # --- Conversations and posts -----------------------------------------------------------------------------------

    async def _say_conversations(self) -> None:
        query = (
            select(*CHANNEL, channel_members.c.user_id)
            .join(channel_members, channel_members.c.channel_id == channels.c.id)
            .where(channels.c.team_id.is_(None))
            .order_by(channels.c.id, channel_members.c.user_id)
        )
        people: list[UUID] = []
        current: Channel | None = None
        # Each once, whatever portion its people fall into.
        async for batch in self._batches(query):
            for row in batch:
                channel = Channel(**{name: row[name] for name in Channel.__struct_fields__})
                if current is not None and current.id != channel.id:
                    await self._say_conversation(current, people)
                    people = []
                current = channel
                people.append(row["user_id"])
        if current is not None:
            await self._say_conversation(current, people)

    async def _say_conversation(self, channel: Channel, people: Sequence[UUID]) -> None:
        users = self._names.users
        names = sorted(users[each] for each in people if each in users)
        if len(names) < len(people) or name_of_people(people) != channel.name:
            self.tally.left_out["conversations of people who are gone"] += 1
            return
        if channel.type == DIRECT and len(names) == 1:
            names *= 2
        self._conversations[channel.id] = names
        favorited, shown = await self._storage.read(lambda transaction: _arranged(transaction, channel, people))
        said = DirectChannelSaid(
            members=names,
            favorited_by=sorted(users[each] for each in favorited) or None,
            shown_by=sorted(users[each] for each in shown) or None,
            header=channel.header,
        )
        self.tally.made["conversations"] += 1
        await self._say([Line(type="direct_channel", direct_channel=said)])

    async def _say_posts(self, where: Any) -> None:
        query = (
            select(*POST)
            .where(*alive_roots(), posts.c.channel_id.in_(select(channels.c.id).where(where)))
            .order_by(posts.c.channel_id, posts.c.sequence)
        )
        async for batch in self._batches(query):
            roots = [Post(**row) for row in batch]

            def work(transaction: Transaction, roots: Sequence[Post] = roots) -> tuple[list[Line], Tally]:
                teller = PostTeller(transaction, roots, self._names, with_files=self._with_files)
                return teller.lines(roots, self._conversations), teller.tally

            lines, tally = await self._storage.read(work)
            self.tally.add(tally)
            await self._say(lines)

    # --- Files -----------------------------------------------------------------------------------------------------

    async def _copy_files(self) -> None:
        async for batch in self._batches(select(emojis.c.id, emojis.c.blob, emojis.c.mime_type)):
            for row in batch:
                await self._copy(row["blob"], _emoji_path(row))
        query = select(profiles.c.user_id, profiles.c.picture).where(profiles.c.picture.is_not(None))
        async for batch in self._batches(query):
            for row in batch:
                if row["user_id"] in self._names.users:
                    await self._copy(row["picture"], picture_path(row["user_id"]))
        alive = select(files.c.id, files.c.name, files.c.blob).where(files.c.delete_at == 0)
        async for batch in self._batches(alive.where(files.c.post_id.is_not(None))):
            for row in batch:
                if await self._copy(row["blob"], file_path(row["id"], row["name"])):
                    self.tally.made["files"] += 1

    async def _copy(self, key: str, path: str) -> bool:
        try:
            async with self._blobs.open(key) as opened:
                with self._archive.file(path) as stream:
                    async for piece in opened:
                        await trio.to_thread.run_sync(stream.write, piece)
        except (NoSuchBlob, BlobsFailed) as error:
            self.tally.trouble(0, f"file {path}: cannot be read: {error}")
            return False
        return True


def _write(stream: IO[bytes], lines: Sequence[Line]) -> None:
    for line in lines:
        stream.write(write_line(line) + b"\n")


def _index_flags(transaction: Transaction) -> None:
    """The copy is ours alone: what is looked for there by post is found by post."""
    transaction.connection.exec_driver_sql("CREATE INDEX chat_copy_flags ON chat_preferences (category, name)")


def _system_ids(transaction: Transaction) -> list[UUID]:
    query = select(users_table.c.id).where(users_table.c.is_system.is_(True))
    return list(transaction.connection.execute(query).scalars())


def _seats_of_bots(transaction: Transaction) -> int:
    bots = select(users_table.c.id).where(users_table.c.is_bot.is_(True))
    query = select(channel_members.c.user_id).where(channel_members.c.user_id.in_(bots))
    return len(transaction.connection.execute(query).all())


def _arranged(transaction: Transaction, channel: Channel, people: Sequence[UUID]) -> tuple[set[UUID], set[UUID]]:
    """Who has a conversation among the favorites, and who has it shown."""
    channel_name = shown_id(channel.id)
    mates = {shown_id(each): each for each in people}
    wanted = [(FAVORITE, [channel_name]), (GROUP_SHOWN, [channel_name]), (DIRECT_SHOWN, list(mates))]
    found: dict[str, set[UUID]] = {}
    for category, names in wanted:
        query = select(preferences.c.user_id, preferences.c.name).where(
            preferences.c.category == category,
            preferences.c.name.in_(names),
            preferences.c.user_id.in_(people),
            preferences.c.value == "true",
        )
        rows = transaction.connection.execute(query).all()
        found[category] = {row.user_id for row in rows if mates.get(row.name) != row.user_id or len(people) == 1}
    return found[FAVORITE], found[DIRECT_SHOWN if channel.type == DIRECT else GROUP_SHOWN]


def _emoji_path(row: Any) -> str:
    return f"emoji/{shown_id(row['id'])}.{_ENDINGS.get(row['mime_type'], 'png')}"

"""An import from its first line to its last.

The file is read three times: for people, since teams need owners; for teams, channels, bots and emoji; and for who is
where and what was written. Posts are then taken in the order of time. Every batch is a transaction, and finds what an
earlier run left: an import that was interrupted goes on when it is begun again.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Collection, Generator, Iterator
from contextlib import ExitStack, closing
from functools import partial
from itertools import islice
from pathlib import Path
from typing import TypeVar
from uuid import UUID

import msgspec
import trio

from manor import SYSTEM_ID, BadRequest, Storage, Transaction, open_copy
from manor_chat.domain.emoji_names import is_built_in
from manor_chat.domain.names import EMOJI_NAME
from manor_chat.events import Imported
from manor_chat.files.imaging import Studio
from manor_chat.moving.accounts import Accounts, Wanted, give_picture, keep_bots, keep_people
from manor_chat.moving.bundle import MOST_LINE, Bundle, RawLine, Unfit, open_bundle
from manor_chat.moving.conversations import keep_conversations, keep_missing
from manor_chat.moving.filing import Filing
from manor_chat.moving.known import Known, look_up_channels, look_up_teams, look_up_users
from manor_chat.moving.lines import (
    FORMAT_VERSION,
    KNOWN,
    NOT_CARRIED,
    DirectPostSaid,
    Kind,
    Line,
    read_kind,
    read_line,
)
from manor_chat.moving.posting import find_staged, keep_posts, key_of, settle, unsettled
from manor_chat.moving.reading_posts import PostReader
from manor_chat.moving.report import Report, Tally
from manor_chat.moving.seating import seat_people
from manor_chat.moving.staging import StagedPost, Staging, open_staging
from manor_chat.moving.structure import keep_channels, keep_teams
from manor_chat.parts import Shared
from manor_chat.store.emoji import add_emoji, find_by_names
from manor_chat.store.files import File

LINES_AT_ONCE = 200
POSTS_AT_ONCE = 200

T = TypeVar("T")
Numbered = tuple[int, Line]


async def import_bundle(shared: Shared, studio: Studio, path: Path, *, is_dry_run: bool) -> Report:
    """Import a file of the bulk format, or say what would become of it.

    Args:
        shared: What all parts use.
        studio: Draws previews of files.
        path: The file of lines, or a zip of it with what it names; absolute.
        is_dry_run: Whether all of it is done on a copy of the tables, which is thrown away.

    Raises:
        NotFound: It is not there.
        BadRequest: It is none of this format.
        Forbidden: This user may not read it.
        StorageFull: The disk is full; what was imported before stays.
    """
    context = shared.context
    with ExitStack() as stack:
        bundle = await trio.to_thread.run_sync(stack.enter_context, open_bundle(path))
        filing = Filing(shared, studio, bundle, is_dry_run=is_dry_run)
        if not is_dry_run:
            return await _Importing(shared, context.storage, bundle, filing).run()
        async with open_copy(context.storage, context.data_dir, clock=context.clock) as copy:
            report = await _Importing(shared, copy, bundle, filing).run()
        return msgspec.structs.replace(report, is_dry_run=True)


class _Importing:
    """One import on its way."""

    def __init__(self, shared: Shared, storage: Storage, bundle: Bundle, filing: Filing) -> None:
        self._storage = storage
        self._bundle = bundle
        self._filing = filing
        self._folder = shared.context.data_dir
        self._log = shared.context.log
        self._tier = shared.context.identity.default_tier
        self._known = Known()
        self._tally = Tally()
        self._admins: dict[str, str] = {}
        self._members: dict[str, str] = {}

    async def run(self) -> Report:
        await self._each({"user"}, self._take_people, first=True)
        await self._each({"team", "channel", "bot", "emoji"}, self._take_structure)
        with open_staging(self._folder) as staging:
            reader = PostReader(self._known, self._tally)
            take = partial(self._take_places, staging, reader)
            await self._each({"user", "direct_channel", "post", "direct_post"}, take)
            await trio.to_thread.run_sync(staging.seal)
            await self._take_posts(staging)
        told = Imported(posts=self._tally.made["posts"] + self._tally.made["replies"])
        await self._storage.write(lambda transaction: transaction.emit(told))
        return self._tally.report()

    async def _each(
        self, kinds: Collection[str], take: Callable[[list[Numbered]], Awaitable[None]], *, first: bool = False
    ) -> None:
        """Go through the file, some lines of these kinds at a time."""
        with closing(_lines(self._bundle, kinds, self._tally, is_first=first)) as lines:
            while batch := await trio.to_thread.run_sync(lambda: list(islice(lines, LINES_AT_ONCE))):
                await take(batch)

    async def _write(self, work: Callable[[Transaction], T]) -> T:
        return await self._storage.write(work)

    # --- People ----------------------------------------------------------------------------------------------------

    async def _take_people(self, batch: list[Numbered]) -> None:
        lines = [(number, line.user) for number, line in batch if line.user is not None]
        known = dict(self._known.users)
        done = await self._write(lambda transaction: keep_people(transaction, lines, known, tier=self._tier))
        await self._note(done)
        for _, said in lines:
            name = said.username.lower()
            for team in said.teams or () if name in self._known.users else ():
                is_admin = "team_admin" in (team.roles or "").split()
                (self._admins if is_admin else self._members).setdefault(team.name.lower(), name)

    async def _note(self, done: Accounts) -> None:
        self._tally.add(done.tally)
        self._known.users |= done.users
        self._known.bots |= done.bots
        for wanted in done.pictures:
            await self._have_picture(wanted)

    async def _have_picture(self, wanted: Wanted) -> None:
        try:
            key = await self._filing.picture(wanted.user_id, wanted.path)
        except Unfit as unfit:
            self._tally.trouble(wanted.line, f"picture {wanted.path[:200]}: {unfit}")
            return
        if await self._write(lambda transaction: give_picture(transaction, wanted.user_id, key)):
            self._tally.made["pictures"] += 1

    # --- Teams, channels, bots, emoji ------------------------------------------------------------------------------

    async def _take_structure(self, batch: list[Numbered]) -> None:
        teams = [(number, line.team) for number, line in batch if line.team is not None]
        channels = [(number, line.channel) for number, line in batch if line.channel is not None]
        bots = [(number, line.bot) for number, line in batch if line.bot is not None]
        known = self._known
        if teams:
            owners = {
                name: known.users[who] for name, who in (self._members | self._admins).items() if who in known.users
            }
            made = await self._write(lambda transaction: keep_teams(transaction, teams, owners))
            self._tally.add(made.tally)
            known.teams |= made.teams
            known.channels |= made.channels
        if channels:
            await self._look_up_teams({said.team for _, said in channels})
            made = await self._write(lambda transaction: keep_channels(transaction, channels, known.teams))
            self._tally.add(made.tally)
            known.channels |= made.channels
        if bots:
            await self._note(await self._write(lambda transaction: keep_bots(transaction, bots, self._tier)))
        for number, line in batch:
            if line.emoji is not None:
                await self._have_emoji(number, line.emoji.name, line.emoji.image or "")

    async def _have_emoji(self, number: int, name: str, path: str) -> None:
        if EMOJI_NAME.fullmatch(name) is None or is_built_in(name):
            self._tally.trouble(number, f"emoji: none can be called {name[:80]!r}")
            return
        if await self._storage.read(lambda transaction: find_by_names(transaction, [name])):
            self._tally.unchanged["emoji"] += 1
            return
        try:
            # The format does not say who made it.
            emoji = await self._filing.emoji(name, path, SYSTEM_ID)
        except Unfit as unfit:
            self._tally.trouble(number, f"emoji {name}: {unfit}")
            return
        await self._write(lambda transaction: add_emoji(transaction, emoji))
        self._tally.made["emoji"] += 1

    async def _look_up_teams(self, names: Collection[str]) -> None:
        """Know teams of this server that the file does not describe."""
        missing = {name.lower() for name in names} - self._known.teams.keys()
        if missing:
            found = await self._storage.read(lambda transaction: look_up_teams(transaction, missing))
            self._known.teams |= found
            ids = list(found.values())
            self._known.channels |= await self._storage.read(lambda transaction: look_up_channels(transaction, ids))

    # --- Who is where, and what was written ------------------------------------------------------------------------

    async def _take_places(self, staging: Staging, reader: PostReader, batch: list[Numbered]) -> None:
        known = self._known
        users = [(number, line.user) for number, line in batch if line.user is not None]
        said = [(number, each) for number, line in batch if (each := line.post or line.direct_post) is not None]
        direct = [(number, line.direct_channel) for number, line in batch if line.direct_channel is not None]
        await self._look_up_names(batch)
        if users:
            self._tally.add(await self._write(lambda transaction: seat_people(transaction, users, known)))
        if direct:
            tally, found = await self._write(lambda transaction: keep_conversations(transaction, direct, known))
            self._tally.add(tally)
            known.channels |= found
        talks = {tuple(each.channel_members) for _, each in said if isinstance(each, DirectPostSaid)}
        peoples = {tuple(sorted(people)) for names in talks if (people := known.people(names))}
        fitting = {people for people in peoples if len(people) <= _MOST_TALKING}
        if fitting:
            tally, found = await self._write(lambda transaction: keep_missing(transaction, fitting))
            self._tally.add(tally)
            known.channels |= found

        def stage() -> None:
            for number, each in said:
                staging.add(reader.read(number, each))

        await trio.to_thread.run_sync(stage)

    async def _look_up_names(self, batch: list[Numbered]) -> None:
        """Know people and teams of this server that the file does not describe."""
        names = {name.lower() for _, line in batch for name in _people_of(line)} - self._known.users.keys()
        if names:
            found, bots = await self._storage.read(lambda transaction: look_up_users(transaction, names))
            self._known.users |= found
            self._known.bots |= bots
        await self._look_up_teams({line.post.team for _, line in batch if line.post is not None})
        users = [line.user for _, line in batch if line.user is not None]
        await self._look_up_teams({team.name for user in users for team in user.teams or ()})

    # --- Posts -----------------------------------------------------------------------------------------------------

    async def _take_posts(self, staging: Staging) -> None:
        touched: set[UUID] = set()
        count = 0
        while batch := await trio.to_thread.run_sync(staging.next, POSTS_AT_ONCE):
            touched |= {each.channel_id for each in batch}
            refs = {each.root_ref for each in batch if each.root_ref}
            roots = await trio.to_thread.run_sync(staging.roots, refs)
            uploaded = await self._upload(batch)
            kept = await self._write(partial(keep_posts, batch=batch, roots=roots, uploaded=uploaded))
            self._tally.add(kept.tally)
            new = [(each.ref, kept.ids[each.ref]) for each in batch if not each.root_ref and each.ref in kept.ids]
            await trio.to_thread.run_sync(staging.note_roots, new)
            count += len(batch)
            if count % (250 * POSTS_AT_ONCE) == 0:
                self._log.info("importing posts", posts=count)
        touched |= set(await self._storage.read(unsettled))
        for channel_id in sorted(touched):
            await self._write(partial(settle, channel_id=channel_id))

    async def _upload(self, batch: list[StagedPost]) -> dict[int, list[File]]:
        """Have the files of those posts in the store that are new, or have none of theirs yet."""
        carrying = [each for each in batch if each.files]
        if not carrying:
            return {}
        found = await self._storage.read(lambda transaction: find_staged(transaction, carrying))
        uploaded: dict[int, list[File]] = {}
        taken: set[object] = set()
        for each in carrying:
            key = key_of(each)
            known = found.get(key)
            if key in taken or (known is not None and known.has_files):
                continue
            taken.add(key)
            uploaded[each.ref] = await self._filing.take(each, self._tally)
        return uploaded


_MOST_TALKING = 8
"""People in one conversation."""


def _people_of(line: Line) -> Iterator[str]:
    """Everybody whom a line about posts or conversations names."""
    if line.direct_channel is not None:
        yield from line.direct_channel.people
    said = line.post or line.direct_post
    if said is None:
        return
    if isinstance(said, DirectPostSaid):
        yield from said.channel_members
    yield from (each.user for each in said.thread_followers or ())
    for post in (said, *(said.replies or ())):
        yield post.user
        yield from post.flagged_by or ()
        yield from (each.user for each in post.reactions or ())


def _lines(bundle: Bundle, kinds: Collection[str], tally: Tally, *, is_first: bool) -> Generator[Numbered, None, None]:
    """The lines of these kinds that can be read; the first time through, what cannot be carried over is noted.

    Raises:
        BadRequest: It does not begin as a file of this format does.
    """
    is_begun = False
    for raw in bundle.lines():
        tally.lines += is_first
        # What is wrong with a line is noted once: of people the first time, of all else when it is read.
        kind = _kind(raw, tally if is_first else Tally())
        if not is_begun:
            if kind is None or kind.type != "version" or kind.version != FORMAT_VERSION:
                raise BadRequest(f"line {raw.number}: expected a version line of the format {FORMAT_VERSION}")
            is_begun = True
        if kind is None or raw.text is None:
            continue
        if is_first:
            _note(kind.type, raw, tally)
        if kind.type in kinds:
            line = _read(raw, kind.type, tally if is_first or kind.type != "user" else Tally())
            if line is not None:
                yield raw.number, line
    if not is_begun:
        raise BadRequest("there are no lines in it")


def _kind(raw: RawLine, tally: Tally) -> Kind | None:
    if raw.text is None:
        tally.trouble(raw.number, f"it is longer than {MOST_LINE} bytes")
        return None
    try:
        return read_kind(raw.text)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        tally.trouble(raw.number, f"it cannot be read: {error}")
        return None


def _note(kind: str, raw: RawLine, tally: Tally) -> None:
    if kind in NOT_CARRIED:
        tally.left_out["roles and permission schemes"] += 1
    elif kind not in KNOWN:
        tally.trouble(raw.number, f"there are no lines of type {kind[:80]!r} in this format")


def _read(raw: RawLine, kind: str, tally: Tally) -> Line | None:
    assert raw.text is not None, "its kind was read"
    try:
        line = read_line(raw.text)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        tally.trouble(raw.number, f"{kind}: {error}")
        return None
    if getattr(line, kind) is None:
        tally.trouble(raw.number, f"{kind}: it says nothing of one")
        return None
    return line

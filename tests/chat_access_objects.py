"""What chat's authorisation matrix asks for: people, channels, posts and the rest, made past the API.

Things are called by expressions: `post.private.bob` is a post of Bob's in the private channel. It is made once, and for
each request anew where `+post.private.bob` is written. `me` is whoever asks. What somebody may not see bears a mark:
`zqPLACEzq` of the channel that it is in, `zqmineNAMEzq` of the person whose business it is.
"""

from __future__ import annotations

import io
from collections.abc import Callable
from datetime import timedelta
from typing import Any, TypeVar
from uuid import UUID, uuid4

from PIL import Image

from manor import (
    NewCredential,
    Transaction,
    add_member,
    issue,
    new_id,
    open_session,
    to_chat_id,
)
from manor.testing import House
from manor_chat.channels.membership import seat
from manor_chat.domain.categories import CUSTOM, Category, with_built_in
from manor_chat.http.api import ACCESS_TOKEN, SESSION
from manor_chat.ids import ACCESS_LETTER, SESSION_LETTER, new_token
from manor_chat.people.credentials import OF_BOT, OF_PERSON
from manor_chat.store.bots import BotRow, put_bot
from manor_chat.store.channels import find_channel
from manor_chat.store.commands import SlashCommand, add_command
from manor_chat.store.drafts import Draft, keep_draft
from manor_chat.store.emoji import Emoji, add_emoji
from manor_chat.store.files import File, Upload, add_files, add_upload
from manor_chat.store.hooks import IncomingHook, OutgoingHook, add_incoming, add_outgoing
from manor_chat.store.oauth import OAuthApp, add_app
from manor_chat.store.posts import change_post, find_post
from manor_chat.store.preferences import Preference, set_preferences
from manor_chat.store.sidebar import store_categories, stored_categories
from manor_chat.teams.keeping import keep_member
from manor_chat.times import to_milliseconds
from tests.chat_access_world import World, add_person, mark

T = TypeVar("T")


def png() -> bytes:
    """A picture."""
    written = io.BytesIO()
    Image.new("RGB", (8, 8), "red").save(written, "PNG")
    return written.getvalue()


def _new(transaction: Transaction, kind: Callable[..., T], **members: Any) -> T:
    """A row of that kind, made just now."""
    now = to_milliseconds(transaction.now)
    return kind(id=new_id(), create_at=now, update_at=now, **members)


class Objects:
    """Everything that is asked for, in one house."""

    def __init__(self, house: House) -> None:
        self._house = house
        self._made: dict[str, str] = {}
        self.world = World()

    async def build(self) -> None:
        """The people, the teams and the channels."""
        await self._house.services.blobs.for_plugin("chat").put("access", png())
        await self._house.storage.write(self.world.build)

    async def resolve(self, expression: str, asker: str) -> str:
        """The id, or the name, of what is called so."""
        if expression.startswith(":"):
            return expression[1:]
        is_fresh, name = expression.startswith("+"), expression.lstrip("+")
        name = ".".join(asker if part == "me" else part for part in name.split("."))
        if not is_fresh and (known := self.world.known.get(name) or self._made.get(name)) is not None:
            return known
        made = await self._house.storage.write(lambda transaction: self._make(transaction, name))
        if not is_fresh:
            self._made[name] = made
        return made

    # --- What is asked for -----------------------------------------------------------------------------------------

    def _make(self, transaction: Transaction, name: str) -> str:
        kind, _, rest = name.partition(".")
        return str(getattr(self, f"_make_{kind}")(transaction, *rest.split(".") if rest else ()))

    def _make_person(self, transaction: Transaction, *places: str) -> str:
        """Somebody new, in the team and in these channels."""
        person = add_person(transaction, f"n{uuid4().hex[:12]}")
        if places:
            add_member(transaction, self.world.id_of("team"), person.id)
            keep_member(transaction, self.world.id_of("team"), person.id)
        for place in places:
            channel = find_channel(transaction, self.world.id_of(place)) if place != "team" else None
            if channel is not None:
                seat(transaction, channel, [person.id])
        return to_chat_id(person.id)

    def _make_channel(self, transaction: Transaction, place: str) -> str:
        """Another channel of a place's kind, with the same people in it."""
        made = self.world.channel(transaction, place, name=f"n{uuid4().hex[:12]}")
        if place.startswith("archived"):
            self.world.archive(transaction, made.id)
        return to_chat_id(made.id)

    def _make_post(self, transaction: Transaction, place: str, writer: str) -> str:
        return to_chat_id(self.world.post(transaction, place, writer))

    def _make_deleted(self, transaction: Transaction, place: str, writer: str) -> str:
        post_id = self.world.post(transaction, place, writer)
        post = find_post(transaction, post_id)
        assert post is not None
        change_post(transaction, post, delete_at=to_milliseconds(transaction.now))
        return to_chat_id(post_id)

    def _make_thread(self, transaction: Transaction, place: str, writer: str) -> str:
        """A post with an answer to it."""
        root_id = self.world.post(transaction, place, writer)
        self.world.post(transaction, place, writer, root_id=root_id)
        return to_chat_id(root_id)

    def _make_acting(self, transaction: Transaction, place: str, writer: str) -> str:
        """A post with a button that leads nowhere."""
        button = {"id": "press", "name": "Press", "integration": {"url": "http://127.0.0.1:9/", "context": {}}}
        return to_chat_id(self.world.post(transaction, place, writer, props={"attachments": [{"actions": [button]}]}))

    def _make_file(self, transaction: Transaction, place: str, writer: str) -> str:
        """A file of a post."""
        file = self._file(
            transaction, self.world.id_of(place), writer, mark(place), self.world.post(transaction, place, writer)
        )
        return to_chat_id(file.id)

    def _make_loose(self, transaction: Transaction, writer: str) -> str:
        """A file of no post yet."""
        return to_chat_id(self._file(transaction, self.world.id_of("open"), writer, mark(f"mine{writer}"), None).id)

    def _file(self, transaction: Transaction, channel_id: UUID, writer: str, name: str, post_id: UUID | None) -> File:
        file = _new(
            transaction,
            File,
            user_id=self.world.id_of(writer),
            channel_id=channel_id,
            post_id=post_id,
            name=f"{name}.png",
            extension="png",
            size=len(png()),
            mime_type="image/png",
            blob="access",
        )
        add_files(transaction, [file])
        return file

    def _make_upload(self, transaction: Transaction, writer: str) -> str:
        upload = _new(
            transaction,
            Upload,
            user_id=self.world.id_of(writer),
            channel_id=self.world.id_of("open"),
            filename=mark(f"mine{writer}"),
            file_size=4,
        )
        add_upload(transaction, upload)
        return to_chat_id(upload.id)

    def _make_hook(self, transaction: Transaction, place: str, writer: str) -> str:
        channel = find_channel(transaction, self.world.id_of(place))
        assert channel is not None
        assert channel.team_id is not None
        hook = _new(
            transaction,
            IncomingHook,
            user_id=self.world.id_of(writer),
            channel_id=channel.id,
            team_id=channel.team_id,
            display_name=mark(place),
        )
        add_incoming(transaction, hook)
        return to_chat_id(hook.id)

    def _make_outgoing(self, transaction: Transaction, writer: str) -> str:
        hook = _new(
            transaction,
            OutgoingHook,
            token=mark("minefred"),
            creator_id=self.world.id_of(writer),
            channel_id=self.world.id_of("open"),
            team_id=self.world.id_of("team"),
            trigger_words=["zz"],
            trigger_when=0,
            callback_urls=["https://example.org/"],
        )
        add_outgoing(transaction, hook)
        return to_chat_id(hook.id)

    def _make_command(self, transaction: Transaction, writer: str) -> str:
        command = _new(
            transaction,
            SlashCommand,
            token=mark("minefred"),
            creator_id=self.world.id_of(writer),
            team_id=self.world.id_of("team"),
            trigger=f"n{uuid4().hex[:12]}",
            method="P",
            url="https://example.org/",
        )
        add_command(transaction, command)
        return to_chat_id(command.id)

    def _make_token(self, transaction: Transaction, owner: str) -> str:
        scope = OF_BOT if owner == "bot" else OF_PERSON
        new = NewCredential(
            kind=ACCESS_TOKEN, user_id=self.world.id_of(owner), label=mark(f"mine{owner}"), scopes=(scope,)
        )
        return to_chat_id(issue(transaction, new, new_token(ACCESS_LETTER)).id)

    def _make_session(self, transaction: Transaction, owner: str) -> str:
        session = open_session(
            transaction,
            user_id=self.world.id_of(owner),
            kind=SESSION,
            ip="127.0.0.1",
            user_agent=mark(f"mine{owner}"),
            life=timedelta(days=1),
            absolute=timedelta(days=9),
        )
        new = NewCredential(kind=SESSION, user_id=session.user_id, session_id=session.id)
        issue(transaction, new, new_token(SESSION_LETTER))
        return to_chat_id(session.id)

    def _make_helper(self, transaction: Transaction, owner: str) -> str:
        """A bot of somebody's."""
        person = add_person(transaction, f"n{uuid4().hex[:12]}", is_bot=True)
        put_bot(transaction, BotRow(user_id=person.id, owner_id=self.world.id_of(owner)))
        return to_chat_id(person.id)

    def _make_category(self, transaction: Transaction, owner: str) -> str:
        whose = (self.world.id_of(owner), self.world.id_of("team"))
        made = Category(id=new_token(), type=CUSTOM, display_name=mark(f"mine{owner}"))
        known = stored_categories(transaction, *whose) or with_built_in([], *(to_chat_id(each) for each in whose))
        store_categories(transaction, *whose, [made, *known])
        return made.id

    def _make_draft(self, transaction: Transaction, place: str, owner: str) -> str:
        """A draft of somebody's; called by its channel."""
        now = to_milliseconds(transaction.now)
        draft = Draft(
            user_id=self.world.id_of(owner),
            channel_id=self.world.id_of(place),
            create_at=now,
            update_at=now,
            message=mark(f"mine{owner}"),
        )
        keep_draft(transaction, draft)
        return to_chat_id(draft.channel_id)

    def _make_preference(self, transaction: Transaction, owner: str) -> str:
        """A preference of somebody's, `access/NAME`; its name."""
        set_preferences(
            transaction,
            self.world.id_of(owner),
            [Preference(category="access", name=owner, value=mark(f"mine{owner}"))],
        )
        return owner

    def _make_app(self, transaction: Transaction, owner: str) -> str:
        app = _new(
            transaction,
            OAuthApp,
            creator_id=self.world.id_of(owner),
            name="Robot",
            description="",
            icon_url="",
            homepage="https://example.org",
            callback_urls=["https://example.org/back"],
            is_trusted=False,
            secret_hash=b"x" * 32,
        )
        add_app(transaction, app)
        return to_chat_id(app.id)

    def _make_emoji(self, transaction: Transaction, owner: str) -> str:
        emoji = _new(
            transaction,
            Emoji,
            name=f"n{uuid4().hex[:12]}",
            creator_id=self.world.id_of(owner),
            blob="access",
            mime_type="image/png",
        )
        add_emoji(transaction, emoji)
        return to_chat_id(emoji.id)

    def _make_word(self, transaction: Transaction) -> str:
        """A name that nothing has."""
        return f"n{uuid4().hex[:12]}"

    def _make_none(self, transaction: Transaction) -> str:
        """An id that nothing has."""
        return to_chat_id(new_id())

"""Sign-in and people, as a part of the plugin."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import Any
from uuid import UUID

import msgspec

from manor import Authenticator, Delivery, JobHandler, Lifespan, Migration, Part, Route, Subscription, Transaction
from manor_chat.http.bots import bots_routes
from manor_chat.http.login import login_routes
from manor_chat.http.passwords import passwords_routes
from manor_chat.http.pictures import pictures_routes
from manor_chat.http.tokens import tokens_routes
from manor_chat.http.user_activity import user_activity_routes
from manor_chat.http.users import users_routes
from manor_chat.http.users_lists import users_lists_routes
from manor_chat.http.users_search import users_search_routes
from manor_chat.migrations.accounts import STEPS
from manor_chat.parts import Shared
from manor_chat.people.accounts import Accounts
from manor_chat.people.cookies import Cookies
from manor_chat.people.credentials import Credentials
from manor_chat.people.letters import Letters
from manor_chat.people.news import catch_up, note_everybody
from manor_chat.people.passwords import Passwords
from manor_chat.people.personal import SECTIONS, own_rows, remove_rows
from manor_chat.people.registering import Registering


class UserSeen(msgspec.Struct, frozen=True):
    """Of `identity.user_changed`."""

    user_id: UUID


class People(Part):
    """The tags users and bots."""

    def __init__(self, shared: Shared) -> None:
        self._shared = shared
        self._cookies = Cookies(shared.context.public_url)
        self._credentials = Credentials(shared, self._cookies)
        letters = Letters(shared.context.link_url, shared.context.frontend_url)
        self._registering = Registering(shared, letters)
        self._accounts = Accounts(shared, self._registering)
        self._passwords = Passwords(shared, letters)

    def routes(self) -> Sequence[Route]:
        """Sign-in, sessions, people, tokens and bots."""
        shared = self._shared
        return [
            *login_routes(shared, self._cookies),
            *users_routes(shared, self._registering, self._accounts),
            *users_lists_routes(shared),
            *users_search_routes(shared),
            *user_activity_routes(shared),
            *passwords_routes(shared, self._passwords),
            *tokens_routes(shared, self._credentials),
            *pictures_routes(shared),
            *bots_routes(shared, self._accounts),
        ]

    def authenticators(self) -> Sequence[Authenticator]:
        """Sessions and personal access tokens."""
        return self._credentials.authenticators()

    def migrations(self) -> Sequence[Migration]:
        """Devices, disabled tokens, bots, and what was told."""
        return STEPS

    def jobs(self) -> Sequence[JobHandler[Any]]:
        """Mail that somebody asked for."""
        return self._passwords.jobs

    def subscriptions(self) -> Sequence[Subscription[Any]]:
        """People, whoever changed them."""
        return [Subscription("identity.user_changed", UserSeen, self._user_changed, Delivery.DURABLE)]

    def lifespan(self) -> Lifespan:
        """Know who was here before, and which tokens are disabled."""

        @asynccontextmanager
        async def open_() -> AsyncIterator[None]:
            await self._shared.storage.write(note_everybody)
            await self._credentials.load()
            yield

        return open_

    # --- A person's data -------------------------------------------------------------------------------------------

    def sections(self) -> Sequence[str]:
        """Their profile, and the bots that they own."""
        return SECTIONS

    async def export(self, user_id: UUID) -> AsyncIterator[tuple[str, Any]]:
        """All of it."""
        for section, row in await self._shared.storage.read(lambda transaction: own_rows(transaction, user_id)):
            yield section, row

    def erase(self, transaction: Transaction, user_id: UUID, limit: int) -> int:
        """All of it at once: a few rows, and the words that they want to hear of."""
        return remove_rows(transaction, user_id)

    async def _user_changed(self, event: UserSeen) -> None:
        await self._shared.storage.write(lambda transaction: catch_up(transaction, event.user_id, self._shared.config))

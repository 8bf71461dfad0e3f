"""Bots, over HTTP."""

from __future__ import annotations

import msgspec

from manor import Reply, Request, Route, Transaction
from manor_chat.http.answers import answer
from manor_chat.http.api import IN_PERSON, SIGNED_IN, operation
from manor_chat.http.params import id_param, user_param
from manor_chat.parts import Shared
from manor_chat.people.accounts import Accounts
from manor_chat.people.managing_bots import (
    BotBody,
    BotShown,
    BotsQuery,
    assign_bot,
    change_bot,
    create_bot,
    existing_bot,
    list_bots,
    managed_bot,
    show_bot,
)
from manor_chat.rights import Rights
from manor_chat.store.bots import find_bot


class DeletedQuery(msgspec.Struct, frozen=True):
    """Whether a disabled one is found, too."""

    include_deleted: bool = False


class BotsHandlers:
    """One method for each operation."""

    def __init__(self, shared: Shared, accounts: Accounts) -> None:
        self._shared = shared
        self._accounts = accounts

    async def bots(self, request: Request[None, BotsQuery]) -> list[BotShown]:
        """A page of bots."""
        return await self._shared.read(
            request, lambda transaction, rights: list_bots(transaction, rights, request.query)
        )

    async def create(self, request: Request[BotBody]) -> Reply:
        """Make a bot."""
        tier = self._shared.context.identity.default_tier

        def work(transaction: Transaction, rights: Rights) -> BotShown:
            bot = create_bot(transaction, rights, request.body, self._shared.config, tier=tier)
            self._audit(transaction, rights, "chat.bot_made", bot)
            return bot

        return answer(await self._shared.write(request, work), 201)

    async def bot(self, request: Request[None, DeletedQuery]) -> BotShown:
        """One bot."""
        bot_id = id_param(request, "bot_user_id")

        def work(transaction: Transaction, rights: Rights) -> BotShown:
            person = existing_bot(transaction, rights, bot_id, with_deleted=request.query.include_deleted)
            return show_bot(person, find_bot(transaction, bot_id))

        return await self._shared.read(request, work)

    async def change(self, request: Request[BotBody]) -> BotShown:
        """Change a bot."""
        bot_id = id_param(request, "bot_user_id")

        def work(transaction: Transaction, rights: Rights) -> BotShown:
            person = managed_bot(transaction, rights, bot_id)
            return change_bot(transaction, rights, person, request.body, self._shared.config)

        return await self._shared.write(request, work)

    async def assign(self, request: Request) -> BotShown:
        """Give a bot another owner."""
        bot_id, owner_id = id_param(request, "bot_user_id"), user_param(request)

        def work(transaction: Transaction, rights: Rights) -> BotShown:
            person = managed_bot(transaction, rights, bot_id)
            bot = assign_bot(transaction, person, owner_id, self._shared.config)
            self._audit(transaction, rights, "chat.bot_assigned", bot)
            return bot

        return await self._shared.write(request, work)

    async def disable(self, request: Request) -> BotShown:
        """Keep a bot out: its tokens open nothing."""
        return await self._switch(request, is_active=False)

    async def enable(self, request: Request) -> BotShown:
        """Let a bot in again, by the tokens that it had."""
        return await self._switch(request, is_active=True)

    async def _switch(self, request: Request, *, is_active: bool) -> BotShown:
        bot_id = id_param(request, "bot_user_id")

        def work(transaction: Transaction, rights: Rights) -> BotShown:
            person = self._accounts.switch(transaction, managed_bot(transaction, rights, bot_id), is_active)
            bot = show_bot(person, find_bot(transaction, bot_id))
            self._audit(transaction, rights, "chat.bot_enabled" if is_active else "chat.bot_disabled", bot)
            return bot

        return await self._shared.write(request, work)

    def _audit(self, transaction: Transaction, rights: Rights, action: str, bot: BotShown) -> None:
        detail = {"bot": bot.user_id, "owner": bot.owner_id}
        self._shared.context.audit.record(transaction, action, actor=str(rights.user_id), detail=detail)


def bots_routes(shared: Shared, accounts: Accounts) -> list[Route]:
    """The operations."""
    here, api, bots, one = BotsHandlers(shared, accounts), shared.api, "bots", BotShown
    return [
        operation(api, "GET /bots", here.bots, access=SIGNED_IN, tag=bots, query=BotsQuery, returns=list[BotShown]),
        operation(api, "POST /bots", here.create, access=IN_PERSON, tag=bots, body=BotBody, returns=one, status=201),
        operation(api, "GET /bots/{bot_user_id}", here.bot, access=SIGNED_IN, tag=bots, query=DeletedQuery,
                  returns=one),
        operation(api, "PUT /bots/{bot_user_id}", here.change, access=IN_PERSON, tag=bots, body=BotBody, returns=one),
        operation(api, "POST /bots/{bot_user_id}/assign/{user_id}", here.assign, access=IN_PERSON, tag=bots,
                  returns=one),
        operation(api, "POST /bots/{bot_user_id}/disable", here.disable, access=IN_PERSON, tag=bots, returns=one),
        operation(api, "POST /bots/{bot_user_id}/enable", here.enable, access=IN_PERSON, tag=bots, returns=one),
    ]  # fmt: skip

"""Personal access tokens, over HTTP."""

from __future__ import annotations

from collections.abc import Callable
from uuid import UUID

import msgspec

from manor import Refused, Reply, Request, Route, Transaction
from manor_chat.http.answers import STATUS_OK
from manor_chat.http.api import IN_PERSON, SIGNED_IN, operation
from manor_chat.http.params import PageQuery, id_member, id_param, user_param
from manor_chat.parts import Shared
from manor_chat.people.access_tokens import (
    AccessTokenShown,
    create_token,
    disable_token,
    enable_token,
    existing_token,
    list_tokens,
    revoke_token,
)
from manor_chat.people.credentials import Credentials
from manor_chat.rights import Rights


class NewTokenBody(msgspec.Struct, frozen=True):
    """What a token is for."""

    description: str = ""


class TokenBody(msgspec.Struct, frozen=True):
    """Which token."""

    token_id: str = ""


class TokensHandlers:
    """One method for each operation."""

    def __init__(self, shared: Shared, credentials: Credentials) -> None:
        self._shared = shared
        self._credentials = credentials

    async def create(self, request: Request[NewTokenBody]) -> AccessTokenShown:
        """Make a token; its secret is in this answer and nowhere else."""
        user_id = user_param(request)

        def work(transaction: Transaction, rights: Rights) -> AccessTokenShown:
            token = create_token(transaction, rights, user_id, request.body.description, self._shared.config)
            self._audit(transaction, rights, "chat.token_made", token.id)
            return token

        return await self._shared.write(request, work)

    async def of_user(self, request: Request[None, PageQuery]) -> list[AccessTokenShown]:
        """Somebody's tokens."""
        user_id, query = user_param(request), request.query

        def work(transaction: Transaction, rights: Rights) -> list[AccessTokenShown]:
            return list_tokens(transaction, rights, user_id, offset=query.offset, limit=query.limit)

        return await self._shared.read(request, work)

    async def token(self, request: Request) -> AccessTokenShown:
        """One token."""
        token_id = id_param(request, "token_id")

        def work(transaction: Transaction, rights: Rights) -> AccessTokenShown:
            return existing_token(transaction, rights, token_id, "read_user_access_token")

        return await self._shared.read(request, work)

    async def disable(self, request: Request[TokenBody]) -> Reply:
        """Have a token open nothing for now."""
        token_id = id_member(request.body.token_id, "token_id")
        await self._shared.read(
            request,
            lambda transaction, rights: existing_token(transaction, rights, token_id, "revoke_user_access_token"),
        )

        def work(transaction: Transaction, rights: Rights) -> None:
            disable_token(transaction, rights, token_id)
            self._audit(transaction, rights, "chat.token_disabled", request.body.token_id)

        async with self._credentials.switching:
            self._credentials.disable(token_id)
            try:
                await self._shared.write(request, work)
            except Refused:
                await self._credentials.load()
                raise
        return STATUS_OK

    async def enable(self, request: Request[TokenBody]) -> Reply:
        """Have a token open what it opened before."""
        return await self._change(request, enable_token, "chat.token_enabled")

    async def revoke(self, request: Request[TokenBody]) -> Reply:
        """End a token for good."""
        return await self._change(request, revoke_token, "chat.token_revoked")

    async def _change(
        self, request: Request[TokenBody], change: Callable[[Transaction, Rights, UUID], None], action: str
    ) -> Reply:
        token_id = id_member(request.body.token_id, "token_id")

        def work(transaction: Transaction, rights: Rights) -> None:
            change(transaction, rights, token_id)
            self._audit(transaction, rights, action, request.body.token_id)

        async with self._credentials.switching:
            await self._shared.write(request, work)
            self._credentials.enable(token_id)
        return STATUS_OK

    def _audit(self, transaction: Transaction, rights: Rights, action: str, token_id: str) -> None:
        self._shared.context.audit.record(transaction, action, actor=str(rights.user_id), detail={"token": token_id})


def tokens_routes(shared: Shared, credentials: Credentials) -> list[Route]:
    """The operations."""
    here, api, users, one = TokensHandlers(shared, credentials), shared.api, "users", AccessTokenShown
    return [
        operation(api, "POST /users/{user_id}/tokens", here.create, access=IN_PERSON, tag=users, body=NewTokenBody,
                  returns=one),
        operation(api, "GET /users/{user_id}/tokens", here.of_user, access=SIGNED_IN, tag=users, query=PageQuery,
                  returns=list[AccessTokenShown]),
        operation(api, "GET /users/tokens/{token_id}", here.token, access=SIGNED_IN, tag=users, returns=one),
        operation(api, "POST /users/tokens/disable", here.disable, access=IN_PERSON, tag=users, body=TokenBody),
        operation(api, "POST /users/tokens/enable", here.enable, access=IN_PERSON, tag=users, body=TokenBody),
        operation(api, "POST /users/tokens/revoke", here.revoke, access=IN_PERSON, tag=users, body=TokenBody),
    ]  # fmt: skip

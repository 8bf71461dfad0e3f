"""Access tokens over HTTP."""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

import msgspec

from manor import Credential, Reply, Request, Route
from manor_stream.administering.tokens import Tokens, listed_form
from manor_stream.http.api import basic_response, uncached
from manor_stream.http.kept import kept_routes


class CreateToken(msgspec.Struct, frozen=True):
    """A token for a bot: what people call it, and what it may do."""

    name: str
    scopes: list[str]


class DeleteToken(msgspec.Struct, frozen=True):
    """A token that is to open nothing any more: itself, its form in the list, or its id."""

    token: str


class TokenShown(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """A token. Older and newer clients of the API have other names for the same.

    Args:
        id: Names it for good.
        token: The whole of it once, when it is made; its beginning in lists.
        access_token: The same.
        name: What people call it.
        display_name: The same.
        scopes: What it may do.
        timestamp: When it was made.
        created_at: The same.
        last_used: When it was used last, to the minute.
        last_used_at: The same.
        is_bot: Always.
    """

    id: UUID
    token: str
    access_token: str
    name: str
    display_name: str
    scopes: tuple[str, ...]
    timestamp: datetime
    created_at: datetime
    last_used: datetime | None
    last_used_at: datetime | None
    is_bot: bool = True


class TokenHandlers:
    """One method for each operation.

    Args:
        tokens: Keeps them.
    """

    def __init__(self, tokens: Tokens) -> None:
        self._tokens = tokens

    async def list(self, request: Request) -> list[TokenShown]:
        """All access tokens, the oldest first."""
        return [_shown(token, listed_form(token)) for token in await self._tokens.list()]

    async def create(self, request: Request[CreateToken]) -> Reply:
        """Make an access token; it is in this answer and nowhere else."""
        token, secret = await self._tokens.create(request.body.name, request.body.scopes)
        return uncached(_shown(token, secret))

    async def delete(self, request: Request[DeleteToken]) -> Reply:
        """Have an access token open nothing any more."""
        await self._tokens.delete(request.body.token)
        return basic_response("deleted token")


def token_routes(handlers: TokenHandlers) -> list[Route]:
    """List, create, delete."""
    path = "/api/admin/accesstokens"
    return kept_routes(path, handlers, listed=list[TokenShown], create=CreateToken, made=TokenShown, delete=DeleteToken)


def _shown(token: Credential, secret: str) -> TokenShown:
    return TokenShown(
        id=token.id,
        token=secret,
        access_token=secret,
        name=token.label,
        display_name=token.label,
        scopes=token.scopes,
        timestamp=token.created_at,
        created_at=token.created_at,
        last_used=token.last_used_at,
        last_used_at=token.last_used_at,
    )

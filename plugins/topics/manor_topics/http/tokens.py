"""Topic access tokens over HTTP."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Literal
from uuid import UUID

import msgspec
from msgspec import Meta

from manor import Credential, Reply, Request, Route
from manor_topics.access_tokens import AccessTokens, WantedToken
from manor_topics.creating import refusal
from manor_topics.domain import Misfit, Topic
from manor_topics.http.api import NOTIFER, SIGNED_IN
from manor_topics.rights import in_scope

BODY_LIMIT = 16_384
SCOPE = "topics:write"

MEANINGS = {"read": ("read",), "subscribe": ("read",), "write": ("write",), "publish": ("write",)}
"""What the words mean, those of older clients too."""

BOTH = ("read", "write")


class CreateToken(msgspec.Struct, frozen=True, kw_only=True):
    """A token for a topic: what it may do there, and until when."""

    name: Annotated[str, Meta(min_length=1, max_length=100)]
    permissions: Annotated[
        list[Literal["read", "write", "publish", "subscribe", "read_write"]],
        Meta(min_length=1, max_length=20, description="Older words are understood: publish, subscribe, read_write."),
    ]
    expires_at: datetime | None = None


class TokenShown(msgspec.Struct, frozen=True, kw_only=True):
    """A token, without its secret."""

    id: UUID
    name: str
    topic: str
    permissions: tuple[str, ...]
    token_prefix: str
    created_at: datetime
    expires_at: datetime | None
    last_used_at: datetime | None


class TokenMade(TokenShown, frozen=True, kw_only=True):
    """A token with its secret, which is shown this once."""

    token: str


class TokenHandlers:
    """One method for each operation.

    Args:
        tokens: Keeps them.
    """

    def __init__(self, tokens: AccessTokens) -> None:
        self._tokens = tokens

    async def list(self, request: Request) -> list[TokenShown]:
        """A topic's tokens, the oldest first."""
        topic, tokens = await self._tokens.list(request.params["topic"], in_scope(request.principals, SCOPE))
        return [_shown(topic, token) for token in tokens]

    async def create(self, request: Request[CreateToken]) -> Reply:
        """Make a token; its secret is in this answer and nowhere else."""
        principals, wanted = in_scope(request.principals, SCOPE), _wanted(request.body)
        topic, token, secret = await self._tokens.create(request.params["topic"], principals, wanted)
        made = TokenMade(**msgspec.structs.asdict(_shown(topic, token)), token=secret)
        return Reply(msgspec.json.encode(made), status=201, headers={"Cache-Control": "no-store"})

    async def delete(self, request: Request) -> None:
        """Have a token open nothing any more; its streams end."""
        principals = in_scope(request.principals, SCOPE)
        await self._tokens.delete(request.params["topic"], principals, request.params["token_id"])


def token_routes(handlers: TokenHandlers) -> list[Route]:
    """List, create, delete."""
    path = "/api/topics/{topic}/access-tokens"
    return [
        Route("GET", path, handlers.list, api=NOTIFER, access=SIGNED_IN, returns=list[TokenShown]),
        Route(
            "POST",
            path,
            handlers.create,
            api=NOTIFER,
            access=SIGNED_IN,
            body=CreateToken,
            body_limit=BODY_LIMIT,
            returns=TokenMade,
            status=201,
        ),
        Route("DELETE", path + "/{token_id}", handlers.delete, api=NOTIFER, access=SIGNED_IN, status=204),
    ]


def _wanted(body: CreateToken) -> WantedToken:
    name = body.name.strip()
    # Lists of tokens are shown in terminals, too.
    if not name or not name.isprintable():
        raise refusal(Misfit("name", "is made of characters that can be seen"))
    given = {meaning for word in body.permissions for meaning in MEANINGS.get(word, BOTH)}
    permissions = tuple(meaning for meaning in BOTH if meaning in given)
    return WantedToken(name=name, permissions=permissions, expires_at=body.expires_at)


def _shown(topic: Topic, token: Credential) -> TokenShown:
    return TokenShown(
        id=token.id,
        name=token.label,
        topic=topic.name,
        permissions=token.scopes,
        token_prefix=token.prefix,
        created_at=token.created_at,
        expires_at=token.expires_at,
        last_used_at=token.last_used_at,
    )

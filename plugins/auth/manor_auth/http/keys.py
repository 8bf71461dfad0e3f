"""API keys over HTTP. Notifer's own pages want a list of them as an array, its command line wants an object."""

from __future__ import annotations

from datetime import UTC, date, datetime, time
from typing import Annotated, Any, Literal
from uuid import UUID

import msgspec
from msgspec import Meta

from manor import (
    Api,
    Credential,
    FieldProblem,
    Principal,
    Rate,
    RateHeaders,
    Request,
    Route,
    Scope,
    Unprocessable,
    parse_id,
)
from manor_auth.api_keys import KIND, ApiKeys, ScopeName, WantedKey
from manor_auth.http.api import BODY_LIMIT, NO_STORE, PLACES, actor, check_printable

ACCOUNT = Api(
    "account",
    kinds=frozenset({"access", KIND}),
    places=PLACES,
    anonymous_rate=Rate(300),
    signed_in_rate=Rate(1200),
    rate_headers=RateHeaders.UNIX,
    headers=NO_STORE,
    prefixes=("/api/keys", "/api/users"),
)
"""What programs too may do with an account."""

KEYS = Scope("keys", kinds=("access", KIND))


class KeysQuery(msgspec.Struct, frozen=True):
    """Which shape the list has; else a session is given an array, and a key an object."""

    format: Literal["list", "object"] | None = None


class CreateKey(msgspec.Struct, frozen=True, kw_only=True):
    """A key for a program: what it may do, and until when."""

    name: Annotated[str, Meta(min_length=1, max_length=100)]
    expires_at: Annotated[str, Meta(description="A time, or a day that it does not live to see (UTC).")] | None = None
    description: Annotated[str, Meta(max_length=500)] | None = None
    scopes: Annotated[list[ScopeName], Meta(min_length=1, max_length=50)] = msgspec.field(default_factory=lambda: ["*"])


class KeyMade(msgspec.Struct, frozen=True, kw_only=True):
    """A key with its secret, which is shown this once."""

    id: UUID
    key: str
    name: str
    key_prefix: str
    scopes: tuple[str, ...]
    description: str | None
    created_at: datetime
    expires_at: datetime | None


class KeyShown(msgspec.Struct, frozen=True, kw_only=True):
    """A key as its owner sees it. `last_used` is `last_used_at` under the name that the command line reads."""

    id: UUID
    name: str
    key_prefix: str
    scopes: tuple[str, ...]
    description: str | None
    is_active: bool
    request_count: int
    created_at: datetime
    expires_at: datetime | None
    last_used_at: datetime | None
    last_used: datetime | None


class KeysShown(msgspec.Struct, frozen=True):
    """The list as an object."""

    keys: list[KeyShown]
    total: int


class KeyHandlers:
    """One method for each operation."""

    def __init__(self, keys: ApiKeys) -> None:
        self._keys = keys

    async def list(self, request: Request[None, KeysQuery]) -> Any:
        """One's keys, the newest first."""
        by = actor(request, KEYS)
        shown = [self._shown(key) for key in await self._keys.list(_owner(by))]
        wants_object = by.kind == KIND if request.query.format is None else request.query.format == "object"
        return KeysShown(shown, len(shown)) if wants_object else shown

    async def create(self, request: Request[CreateKey]) -> KeyMade:
        """Make a key; its secret is in this answer and nowhere else."""
        body = request.body
        check_printable("name", body.name)
        if body.description:
            check_printable("description", " ".join(body.description.splitlines()))
        wanted = WantedKey(
            name=body.name.strip(),
            description=body.description,
            scopes=tuple(dict.fromkeys(body.scopes)),
            expires_at=None if body.expires_at is None else _moment(body.expires_at),
        )
        key, secret = await self._keys.create(actor(request, KEYS), wanted)
        return KeyMade(
            id=key.id,
            key=secret,
            name=key.label,
            key_prefix=key.prefix,
            scopes=key.scopes,
            description=wanted.description,
            created_at=key.created_at,
            expires_at=key.expires_at,
        )

    async def revoke(self, request: Request) -> KeyShown:
        """Have a key open nothing any more, and keep it in the list."""
        return self._shown(await self._keys.revoke(_owner(actor(request, KEYS)), parse_id(request.params["key_id"])))

    async def delete(self, request: Request) -> None:
        """Remove a key."""
        await self._keys.delete(_owner(actor(request, KEYS)), parse_id(request.params["key_id"]))

    def _shown(self, key: Credential) -> KeyShown:
        return KeyShown(
            id=key.id,
            name=key.label,
            key_prefix=key.prefix,
            scopes=key.scopes,
            description=key.meta.get("description"),
            is_active=self._keys.is_active(key),
            request_count=key.use_count,
            created_at=key.created_at,
            expires_at=key.expires_at,
            last_used_at=key.last_used_at,
            last_used=key.last_used_at,
        )


def key_list_routes(handlers: KeyHandlers) -> list[Route]:
    """List, create, revoke, delete."""
    return [
        Route(
            "GET",
            "/api/keys",
            handlers.list,
            api=ACCOUNT,
            access=KEYS,
            query=KeysQuery,
            returns=list[KeyShown] | KeysShown,
        ),
        Route(
            "POST",
            "/api/keys",
            handlers.create,
            api=ACCOUNT,
            access=KEYS,
            body=CreateKey,
            body_limit=BODY_LIMIT,
            returns=KeyMade,
            status=201,
        ),
        Route("POST", "/api/keys/{key_id}/revoke", handlers.revoke, api=ACCOUNT, access=KEYS, returns=KeyShown),
        Route("DELETE", "/api/keys/{key_id}", handlers.delete, api=ACCOUNT, access=KEYS, status=204),
    ]


def _owner(principal: Principal) -> UUID:
    assert principal.user_id is not None, "an actor is somebody"
    return principal.user_id


def _moment(text: str) -> datetime:
    """People type days on the command line, which no datetime is decoded from."""
    try:
        if len(text) == len("2030-01-02"):
            return datetime.combine(msgspec.convert(text, date), time(), UTC)
        moment = msgspec.convert(text, datetime)
        return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)
    except (msgspec.ValidationError, OverflowError) as error:
        raise _wrong("expires_at", "expected a time, as 2030-01-02T12:00:00Z, or a day") from error


def _wrong(field: str, message: str) -> Unprocessable:
    return Unprocessable(f"{field}: {message}", errors=[FieldProblem(field, message)])

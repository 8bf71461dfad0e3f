"""The public keys, for whoever wants to check a token without asking."""

from __future__ import annotations

from typing import Any

import msgspec

from manor import PUBLIC, Api, Request, Route
from manor_auth.keys import KeyRing

KEYS = Api("auth keys", places=(), headers={"Cache-Control": "max-age=300"})


class KeySet(msgspec.Struct, frozen=True):
    """A JWK set (RFC 7517 section 5)."""

    keys: list[dict[str, Any]]


def key_routes(keys: KeyRing) -> list[Route]:
    """`GET /.well-known/jwks.json`."""

    def show(request: Request) -> KeySet:
        """The keys that verify tokens of this server."""
        return KeySet(keys.public())

    return [Route("GET", "/.well-known/jwks.json", show, api=KEYS, access=PUBLIC, returns=KeySet)]

"""Tokens: signed claims (JWT, RFC 7519) that say who signed in, in which session, and until when.

An access token's header has `typ` `at+jwt` (RFC 9068), a refresh token's `rt+jwt`, so that neither is taken for the
other. The algorithm is the key's, never the token's choice: a header that says otherwise is refused before a
signature is looked at.
"""

from __future__ import annotations

import base64
import binascii
import re
import secrets
from collections.abc import Iterable
from datetime import datetime, timedelta
from typing import Literal
from uuid import UUID

import msgspec
from joserfc import jws
from joserfc.errors import JoseError, UnsupportedAlgorithmError
from joserfc.jwa import JWSAlgModel

from manor import Clock
from manor_auth.keys import ALGORITHMS, Algorithm, KeyRing

Use = Literal["at+jwt", "rt+jwt"]
ACCESS: Use = "at+jwt"
REFRESH: Use = "rt+jwt"

AUDIENCE = "manor"
LEEWAY = timedelta(seconds=30)
"""How far the clocks of two machines may be apart."""

LONGEST = 4096
"""Characters of a token; ours have some 500."""

_FORM = re.compile(r"eyJ[A-Za-z0-9_-]*\.[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+")


class _OneAlgorithm(jws.JWSRegistry):
    """Knows one algorithm. The library warns of the name `EdDSA`, which RFC 9864 wants told from its curves; a key
    of ours has one curve, and verifiers know that name and not yet the new one."""

    def __init__(self, algorithm: Algorithm) -> None:
        super().__init__(algorithms=[algorithm])
        self._name = algorithm

    def get_alg(self, name: str) -> JWSAlgModel:
        """The one.

        Raises:
            UnsupportedAlgorithmError: It has another name.
        """
        if name != self._name:
            raise UnsupportedAlgorithmError(f"Algorithm of '{name}' is not allowed")
        return self.algorithms[name]


_ONLY = {algorithm: _OneAlgorithm(algorithm) for algorithm in ALGORITHMS}


class Header(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """All that our tokens' headers hold: no key, no address of one, nothing critical."""

    alg: str
    kid: str
    typ: str


class Claims(msgspec.Struct, frozen=True):
    """What a token says. Times are Unix seconds; `sub` is the person, `sid` the session, `jti` the token itself."""

    iss: str
    sub: UUID
    aud: str
    iat: int
    nbf: int
    exp: int
    jti: str
    sid: UUID
    scope: str = ""

    @property
    def scopes(self) -> frozenset[str]:
        """What the token may do."""
        return frozenset(self.scope.split())


class Tokens:
    """Signs tokens and reads them.

    Args:
        keys: What signs and verifies.
        clock: Says when a token begins and ends.
        issuer: The server's name in its tokens.
    """

    def __init__(self, keys: KeyRing, clock: Clock, issuer: str) -> None:
        self._keys = keys
        self._clock = clock
        self._issuer = issuer

    def issue(
        self,
        use: Use,
        *,
        user_id: UUID,
        session_id: UUID,
        expires_at: datetime,
        scopes: Iterable[str] = (),
        jti: str = "",
    ) -> str:
        """Make a token.

        Args:
            use: Which kind.
            user_id: Who signed in.
            session_id: The session that it lives and dies with.
            expires_at: When it ends, whatever happens to the session.
            scopes: What it may do.
            jti: Its own id, when the database knows it by a hash of that; made here otherwise.
        """
        now = int(self._clock.now().timestamp())
        claims = Claims(
            iss=self._issuer,
            sub=user_id,
            aud=AUDIENCE,
            iat=now,
            nbf=now,
            exp=int(expires_at.timestamp()),
            jti=jti or secrets.token_urlsafe(16),
            sid=session_id,
            scope=" ".join(sorted(scopes)),
        )
        key = self._keys.current
        header = {"alg": key.algorithm, "kid": key.kid, "typ": use}
        return jws.serialize_compact(header, msgspec.json.encode(claims), key.pair, registry=_ONLY[key.algorithm])

    def read(self, use: Use, token: str) -> Claims | None:
        """What a token of one kind says; None when it is not ours, not of that kind, or not of this time."""
        if not looks_like_token(token):
            return None
        header = _header(token)
        if header is None or header.typ != use:
            return None
        key = self._keys.find(header.kid)
        if key is None or header.alg != key.algorithm:
            return None
        try:
            verified = jws.deserialize_compact(token, key.pair, registry=_ONLY[key.algorithm])
            claims = msgspec.json.decode(verified.payload, type=Claims)
        except (JoseError, msgspec.MsgspecError, ValueError):
            return None
        return claims if self._is_current(claims) else None

    def _is_current(self, claims: Claims) -> bool:
        if claims.iss != self._issuer or claims.aud != AUDIENCE:
            return False
        now, leeway = self._clock.now().timestamp(), LEEWAY.total_seconds()
        return max(claims.nbf, claims.iat) - leeway <= now < claims.exp + leeway


def looks_like_token(secret: str) -> bool:
    """Whether this is written as tokens are; cheap."""
    return len(secret) <= LONGEST and _FORM.fullmatch(secret) is not None


def _header(token: str) -> Header | None:
    encoded = token.partition(".")[0]
    try:
        return msgspec.json.decode(base64.urlsafe_b64decode(encoded + "=" * (-len(encoded) % 4)), type=Header)
    except (binascii.Error, msgspec.MsgspecError, ValueError):
        return None

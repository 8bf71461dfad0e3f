"""ID tokens (OpenID Connect Core 1.0 section 2): what a provider signed about somebody, checked before it is believed.

Nothing in a token chooses how it is checked: the algorithms are the configuration's, the keys the provider's own, and
of a header only the key's id is taken. No network here.
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import msgspec
from joserfc import jws
from joserfc.errors import JoseError
from joserfc.jwk import ECKey, RSAKey

from manor import ManorError

LEEWAY = timedelta(seconds=30)
"""How far the provider's clock and ours may be apart."""

LONGEST = 16_384
"""Characters of a token; many groups make long ones."""

MOST_KEYS = 64
LEAST_RSA_BYTES = 256


class TokenRefused(ManorError):
    """A token that is not believed; the text says why, and holds nothing of it."""


class UnknownKey(TokenRefused):
    """No key of that id is known: the provider may have new ones."""


class Header(msgspec.Struct, frozen=True):
    """What is read of a token's header."""

    alg: str
    kid: str | None = None


class Claims(msgspec.Struct, frozen=True, kw_only=True):
    """What a token says; times are Unix seconds."""

    iss: str
    sub: str
    aud: str | list[str]
    exp: int | float
    iat: int | float
    nbf: int | float | None = None
    azp: str | None = None
    nonce: str | None = None
    email: str | None = None
    email_verified: bool | str | None = None
    groups: Any = None


@dataclass(frozen=True)
class ProviderKey:
    """A public key of a provider, its id and the one algorithm it is for, where the provider says these."""

    kid: str | None
    algorithm: str | None
    key: RSAKey | ECKey


def read_keys(document: bytes) -> list[ProviderKey]:
    """The keys of a JWK set (RFC 7517 section 5) that verify signatures; what we do not know or trust is left out.

    Raises:
        TokenRefused: It is no JWK set.
    """
    try:
        listed = msgspec.json.decode(document, type=_KeySet).keys[:MOST_KEYS]
    except msgspec.MsgspecError as error:
        raise TokenRefused("the provider's keys cannot be read") from error
    return [key for key in map(_read_key, listed) if key is not None]


def verify(
    token: str,
    keys: Sequence[ProviderKey],
    *,
    algorithms: Collection[str],
    issuer: str,
    audiences: Collection[str],
    nonce: str | None,
    now: float,
) -> Claims:
    """What a token says, if it is to be believed.

    Args:
        token: As sent.
        keys: The provider's.
        algorithms: What it may be signed with.
        issuer: Who must have made it.
        audiences: For whom it must be made: one of these.
        nonce: What the sign-in began with; None when it did not begin here.
        now: Unix seconds.

    Raises:
        UnknownKey: Its key is none of these.
        TokenRefused: It is not to be believed.
    """
    header = _read_header(token)
    if header.alg not in algorithms:
        raise TokenRefused("its algorithm is not taken")
    key = _choose(header, keys)
    try:
        payload = jws.deserialize_compact(token, key.key, algorithms=[header.alg]).payload
        claims = msgspec.json.decode(payload, type=Claims)
    except (JoseError, msgspec.MsgspecError, ValueError) as error:
        raise TokenRefused("its signature is wrong, or its claims are none") from error
    _check(claims, issuer=issuer, audiences=audiences, nonce=nonce, now=now)
    return claims


def _check(claims: Claims, *, issuer: str, audiences: Collection[str], nonce: str | None, now: float) -> None:
    if claims.iss != issuer:
        raise TokenRefused("another provider made it")
    named = [claims.aud] if isinstance(claims.aud, str) else claims.aud
    if not any(each in audiences for each in named):
        raise TokenRefused("it was made for somebody else")
    if len(named) > 1 and claims.azp is None:
        raise TokenRefused("it was made for several, and does not say who asked")
    if claims.azp is not None and claims.azp not in audiences:
        raise TokenRefused("somebody else asked for it")
    leeway = LEEWAY.total_seconds()
    if now >= claims.exp + leeway:
        raise TokenRefused("its time is over")
    if max(claims.iat, claims.nbf or 0) - leeway > now:
        raise TokenRefused("its time has not come")
    if nonce is not None and claims.nonce != nonce:
        raise TokenRefused("it belongs to another sign-in")
    if not 0 < len(claims.sub) <= 255:
        raise TokenRefused("it names nobody")


def _choose(header: Header, keys: Sequence[ProviderKey]) -> ProviderKey:
    fitting = [key for key in keys if key.algorithm in (None, header.alg) and _fits(key.key, header.alg)]
    if header.kid is None:
        # Core 1.0 section 10.1: the id may be left out where there is one key only.
        if len(fitting) == 1:
            return fitting[0]
        raise TokenRefused("it does not say which key signed it")
    for key in fitting:
        if key.kid == header.kid:
            return key
    raise UnknownKey("its key is unknown")


def _fits(key: RSAKey | ECKey, algorithm: str) -> bool:
    return isinstance(key, ECKey) == algorithm.startswith("ES")


def _read_header(token: str) -> Header:
    if len(token) > LONGEST or token.count(".") != 2:
        raise TokenRefused("it is no signed token")
    encoded = token.partition(".")[0]
    try:
        decoded = base64.b64decode(encoded + "=" * (-len(encoded) % 4), altchars=b"-_", validate=True)
        return msgspec.json.decode(decoded, type=Header)
    except (binascii.Error, msgspec.MsgspecError, ValueError) as error:
        raise TokenRefused("it is no signed token") from error


class _KeySet(msgspec.Struct, frozen=True):
    keys: list[dict[str, Any]]


def _read_key(listed: dict[str, Any]) -> ProviderKey | None:
    if listed.get("use", "sig") != "sig" or not isinstance(listed.get("kid", ""), str):
        return None
    try:
        key: RSAKey | ECKey
        match listed.get("kty"):
            case "RSA" if _length(listed.get("n")) >= LEAST_RSA_BYTES:
                key = RSAKey.import_key({name: listed[name] for name in ("kty", "n", "e")})
            case "EC":
                key = ECKey.import_key({name: listed[name] for name in ("kty", "crv", "x", "y")})
            case _:
                return None
    except (JoseError, ValueError, KeyError, TypeError):
        return None
    algorithm = listed.get("alg")
    return ProviderKey(listed.get("kid"), algorithm if isinstance(algorithm, str) else None, key)


def _length(encoded: object) -> int:
    """Bytes of a base64url number, without the zeros that may stand before it."""
    if not isinstance(encoded, str):
        return 0
    return len(base64.urlsafe_b64decode(encoded + "=" * (-len(encoded) % 4)).lstrip(b"\0"))

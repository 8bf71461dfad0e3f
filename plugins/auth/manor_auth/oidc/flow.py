"""What a browser keeps while its owner is with the provider: sealed, so that nobody but us writes it. Pure."""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import secrets

import msgspec

COOKIE = "manor_oidc"

LIFE_SECONDS = 600
"""How long somebody may take at the provider."""

LONGEST = 3900
"""Characters that a browser is given to keep: all keep 4,096 bytes of a cookie."""


class Flow(msgspec.Struct, frozen=True, kw_only=True):
    """A sign-in that has begun.

    Args:
        provider: With whom.
        state: Comes back beside the code, and has to be this.
        nonce: Stands in the ID token, and has to be this.
        verifier: Shows that the one who redeems the code is the one who began (RFC 7636).
        until: Unix seconds.
        target: Where tokens are taken afterwards; "" for where they usually are.
        page: The page of ours that wants somebody signed in, in place of tokens.
        invite: A token that lets somebody sign up.
        link: The session of somebody who is signed in here already, and wants to come this way too from now on; "" for
            nobody's.
    """

    provider: str
    state: str
    nonce: str
    verifier: str
    until: int
    target: str = ""
    page: str | None = None
    invite: str = ""
    link: str = ""

    def __repr__(self) -> str:
        """Without what is secret, whatever log or traceback it lands in."""
        return f"Flow(provider={self.provider!r})"

    @property
    def challenge(self) -> str:
        """What the provider is shown of the verifier."""
        return _encoded(hashlib.sha256(self.verifier.encode("ascii")).digest())


def begin(
    provider: str, now: float, *, target: str = "", page: str | None = None, invite: str = "", link: str = ""
) -> Flow:
    """A new one, that nobody can guess."""
    return Flow(
        provider=provider,
        state=secrets.token_urlsafe(32),
        nonce=secrets.token_urlsafe(32),
        verifier=secrets.token_urlsafe(32),
        until=int(now) + LIFE_SECONDS,
        target=target,
        page=page,
        invite=invite,
        link=link,
    )


class Seal:
    """Closes flows and opens them.

    Args:
        key: A fresh one when not given: sign-ins that were under way over a restart begin anew.
    """

    def __init__(self, key: bytes = b"") -> None:
        self._key = key or secrets.token_bytes(32)

    def close(self, flow: Flow) -> str:
        """The text for a cookie."""
        body = _encoded(msgspec.json.encode(flow))
        return f"{body}.{self._mark(body)}"

    def open(self, sealed: str, now: float) -> Flow | None:
        """The flow; None when it is not one of ours, or over."""
        body, _, mark = sealed.partition(".")
        if len(sealed) > LONGEST or not hmac.compare_digest(mark.encode(), self._mark(body).encode()):
            return None
        try:
            flow = msgspec.json.decode(base64.urlsafe_b64decode(body + "=" * (-len(body) % 4)), type=Flow)
        except (binascii.Error, msgspec.MsgspecError):
            return None
        return flow if now < flow.until else None

    def _mark(self, body: str) -> str:
        return _encoded(hmac.new(self._key, body.encode(), "sha256").digest())


def _encoded(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode("ascii")

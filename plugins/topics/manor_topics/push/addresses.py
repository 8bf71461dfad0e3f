"""Where a device is reached: what its push token says. Pure."""

from __future__ import annotations

import base64
import binascii
import hashlib
from collections.abc import Collection
from typing import Literal
from urllib.parse import urlsplit

import msgspec
from cryptography.hazmat.primitives.asymmetric.ec import SECP256R1, EllipticCurvePublicKey

from manor_topics.domain import Misfit

Platform = Literal["ios", "android", "expo", "web"]

WEB = "web"
APPS = frozenset({"ios", "android", "expo"})

LONGEST_TOKEN = 4096
LONGEST_ENDPOINT = 2048
SECRET_BYTES = 16


class Keys(msgspec.Struct, frozen=True):
    """What a browser gave out, in base64url: its public key, and a secret that only those have who may send."""

    p256dh: str
    auth: str


class Subscribed(msgspec.Struct, frozen=True):
    """A browser's PushSubscription, as its `toJSON` has it."""

    endpoint: str
    keys: Keys


class WebAddress(msgspec.Struct, frozen=True):
    """Where a browser is reached, and how it is written to.

    Args:
        endpoint: A URL at its push service.
        public_key: An uncompressed point on P-256, 65 bytes.
        secret: 16 bytes.
    """

    endpoint: str
    public_key: bytes
    secret: bytes

    @property
    def origin(self) -> str:
        """The push service."""
        return origin_of(self.endpoint)


def check_token(platform: str, push_token: str, own_origins: Collection[str]) -> None:
    """See that a device can be reached so.

    Args:
        platform: The device's.
        push_token: As it was sent.
        own_origins: Push services from the configuration, which may do without TLS.

    Raises:
        Misfit: It cannot.
    """
    if platform != WEB:
        if not push_token.isascii() or not push_token.isprintable() or " " in push_token:
            raise Misfit("push_token", "is made of ASCII characters, without spaces")
        return
    address = read_web(push_token)
    if not address.endpoint.startswith("https://") and address.origin not in own_origins:
        raise Misfit("push_token", "has an endpoint that begins with https://")


def read_web(push_token: str) -> WebAddress:
    """A browser's subscription.

    Raises:
        Misfit: It is none.
    """
    try:
        subscribed = msgspec.json.decode(push_token, type=Subscribed)
    except msgspec.MsgspecError as error:
        raise Misfit("push_token", f"is a PushSubscription as JSON: {error}") from error
    endpoint = subscribed.endpoint
    if len(endpoint) > LONGEST_ENDPOINT or not endpoint.isascii() or not endpoint.isprintable() or " " in endpoint:
        raise Misfit("push_token", f"has an endpoint of at most {LONGEST_ENDPOINT} ASCII characters")
    try:
        parts = urlsplit(endpoint)
        is_url = parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0
    except ValueError:
        is_url = False
    if not is_url or parts.username is not None or parts.password is not None:
        raise Misfit("push_token", "has an endpoint that is a URL, without a user")
    public_key, secret = _bytes("p256dh", subscribed.keys.p256dh), _bytes("auth", subscribed.keys.auth)
    if len(secret) != SECRET_BYTES:
        raise Misfit("push_token", f"has a key 'auth' of {SECRET_BYTES} bytes")
    try:
        is_point = public_key[:1] == b"\x04"
        EllipticCurvePublicKey.from_encoded_point(SECP256R1(), public_key)
    except ValueError:
        is_point = False
    if not is_point:
        raise Misfit("push_token", "has a key 'p256dh' that is an uncompressed point on P-256")
    return WebAddress(endpoint, public_key, secret)


def digest_of(platform: str, push_token: str) -> bytes:
    """What tells one way to a device from another; a browser's keys may change, its endpoint is its name."""
    name = read_web(push_token).endpoint if platform == WEB else push_token
    return hashlib.sha256(f"{'web' if platform == WEB else 'app'}:{name}".encode()).digest()


def origin_of(url: str) -> str:
    """Scheme, host and port of a URL, the port only where it is not the scheme's own."""
    parts = urlsplit(url)
    port = "" if parts.port in (None, {"http": 80, "https": 443}.get(parts.scheme)) else f":{parts.port}"
    host = parts.hostname or ""
    return f"{parts.scheme}://{f'[{host}]' if ':' in host else host}{port}"


def _bytes(name: str, text: str) -> bytes:
    try:
        return base64.b64decode(text.rstrip("=") + "=" * (-len(text.rstrip("=")) % 4), altchars=b"-_", validate=True)
    except (binascii.Error, ValueError) as error:
        raise Misfit("push_token", f"has a key '{name}' in base64url") from error

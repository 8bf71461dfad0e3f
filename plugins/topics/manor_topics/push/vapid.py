"""How push services know this server: a key of its own, with which it signs what it asks (VAPID, RFC 8292)."""

from __future__ import annotations

import base64
import os
from collections.abc import Mapping
from datetime import datetime, timedelta
from pathlib import Path

import msgspec
from cryptography.hazmat.primitives.asymmetric.ec import (
    ECDSA,
    SECP256R1,
    EllipticCurvePrivateKey,
    generate_private_key,
)
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
    load_pem_private_key,
)

from manor import ManorError

LIFE = timedelta(hours=12)
"""Of a signature; push services take no more than a day."""

_HEAD = {"typ": "JWT", "alg": "ES256"}


class VapidKey:
    """Signs for this server.

    Args:
        key: On P-256.
    """

    def __init__(self, key: EllipticCurvePrivateKey) -> None:
        self._key = key

    @property
    def public(self) -> str:
        """The public half, an uncompressed point in base64url: what a browser's `subscribe` is given."""
        return _encoded(self._key.public_key().public_bytes(Encoding.X962, PublicFormat.UncompressedPoint))

    def authorization(self, origin: str, subject: str, now: datetime) -> str:
        """The header that a push service wants.

        Args:
            origin: The push service's: a signature for one is none for another.
            subject: Whom it may turn to; "" for nobody.
            now: The time.
        """
        claims: dict[str, str | int] = {"aud": origin, "exp": int((now + LIFE).timestamp())}
        if subject:
            claims["sub"] = subject
        signed = f"{_part(_HEAD)}.{_part(claims)}"
        first, second = decode_dss_signature(self._key.sign(signed.encode(), ECDSA(SHA256())))
        mark = _encoded(first.to_bytes(32, "big") + second.to_bytes(32, "big"))
        return f"vapid t={signed}.{mark}, k={self.public}"


def open_key(path: Path) -> VapidKey:
    """The key in a file, which is made when it is missing, for its owner's eyes alone.

    Browsers that subscribed under one key hear nothing under another, so the file is worth a backup.

    Raises:
        ManorError: The file cannot be read or made, or holds something else.
    """
    try:
        if not path.exists():
            _make(path)
        key = load_pem_private_key(path.read_bytes(), password=None)
    except OSError as error:
        raise ManorError(f"the VAPID key {path}: {error.strerror}") from error
    except (ValueError, TypeError) as error:
        raise ManorError(f"the VAPID key {path} is no private key in PEM without a password") from error
    if not isinstance(key, EllipticCurvePrivateKey) or not isinstance(key.curve, SECP256R1):
        raise ManorError(f"the VAPID key {path} is not on the curve P-256")
    return VapidKey(key)


def _make(path: Path) -> None:
    pem = generate_private_key(SECP256R1()).private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    path.parent.mkdir(parents=True, exist_ok=True)
    fresh = path.with_name(f"{path.name}.new")
    fresh.unlink(missing_ok=True)
    # Whole or not at all: half a key would stop the next start.
    descriptor = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    with os.fdopen(descriptor, "wb") as file:
        file.write(pem)
        file.flush()
        os.fsync(file.fileno())
    fresh.rename(path)


def _part(value: Mapping[str, str | int]) -> str:
    return _encoded(msgspec.json.encode(value))


def _encoded(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()

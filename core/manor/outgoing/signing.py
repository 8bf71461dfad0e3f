"""Signatures as Standard Webhooks has them (https://www.standardwebhooks.com, version 1): pure, no network.

What is signed is `<webhook-id>.<webhook-timestamp>.<body>`; the key is what `whsec_` is followed by, base64-decoded.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import secrets
from collections.abc import Sequence

PREFIX = "whsec_"
_KEY_BYTES = 32


def new_signing_secret() -> str:
    """A secret that nobody has had yet."""
    return PREFIX + base64.b64encode(secrets.token_bytes(_KEY_BYTES)).decode()


def signature(secret: str, delivery_id: str, timestamp: int, body: bytes) -> str:
    """One signature, as `v1,<base64>`."""
    key = base64.b64decode(secret.removeprefix(PREFIX))
    signed = f"{delivery_id}.{timestamp}.".encode() + body
    return "v1," + base64.b64encode(hmac.new(key, signed, hashlib.sha256).digest()).decode()


def signed_headers(secrets_in_use: Sequence[str], delivery_id: str, timestamp: int, body: bytes) -> dict[str, str]:
    """The headers of a delivery.

    Args:
        secrets_in_use: While a secret is being exchanged there are two, and the receiver may know either.
        delivery_id: The same for every attempt: receivers tell repeated deliveries by it.
        timestamp: Of this attempt, in Unix seconds; receivers refuse what is too old.
        body: What is posted.
    """
    return {
        "webhook-id": delivery_id,
        "webhook-timestamp": str(timestamp),
        "webhook-signature": " ".join(signature(each, delivery_id, timestamp, body) for each in secrets_in_use),
        "content-type": "application/json",
    }

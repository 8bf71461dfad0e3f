"""Trigger ids: what an integration proves with that somebody just pressed its button or typed its command."""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
from dataclasses import dataclass

VALID_MILLISECONDS = 10_000


class BadTriggerId(ValueError):
    """It proves nothing; the text is the last part of the error's id."""


@dataclass(frozen=True)
class Triggered:
    """Who did what.

    Args:
        client_trigger_id: The client knows it by this.
        user_id: Who pressed or typed, as chat writes ids.
    """

    client_trigger_id: str
    user_id: str


def make_trigger_id(key: bytes, triggered: Triggered, now: int) -> str:
    """What the integration is given (base64 of `clientTriggerId:userId:timestamp:signature`).

    Args:
        key: Signs it.
        triggered: Who did what.
        now: In milliseconds.
    """
    text = f"{triggered.client_trigger_id}:{triggered.user_id}:{now}"
    return base64.b64encode(f"{text}:{_signature(key, text)}".encode()).decode()


def read_trigger_id(key: bytes, text: str, now: int) -> Triggered:
    """Who did what, when that was no longer ago than some seconds.

    Raises:
        BadTriggerId: It is none, it is too old, or it was not made here.
    """
    try:
        plain = base64.b64decode(text, validate=True).decode("ascii")
    except (binascii.Error, UnicodeDecodeError, ValueError) as error:
        raise BadTriggerId("base64_decode_failed") from error
    parts = plain.split(":")
    if len(parts) != 4:
        raise BadTriggerId("missing_data")
    client_trigger_id, user_id, made_at, signature = parts
    if not hmac.compare_digest(signature, _signature(key, f"{client_trigger_id}:{user_id}:{made_at}")):
        raise BadTriggerId("verify_signature_failed")
    if now - int(made_at) > VALID_MILLISECONDS:
        raise BadTriggerId("expired")
    return Triggered(client_trigger_id, user_id)


def _signature(key: bytes, text: str) -> str:
    return base64.b64encode(hmac.digest(key, text.encode(), hashlib.sha256)).decode()

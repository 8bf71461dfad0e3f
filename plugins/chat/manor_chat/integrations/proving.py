"""Trigger ids and cookies of buttons: what comes back from outside and must be what was sent."""

from __future__ import annotations

import base64
import binascii
import hashlib
import os
import secrets
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from manor import BadRequest, Clock
from manor_chat import faults
from manor_chat.domain.trigger_ids import BadTriggerId, Triggered, make_trigger_id, read_trigger_id
from manor_chat.ids import new_token
from manor_chat.times import to_milliseconds

KEY_BYTES = 32
_NONCE_BYTES = 12


class Integration(msgspec.Struct, frozen=True, kw_only=True):
    """Where a button or menu leads, for posts that nobody keeps."""

    post_id: str
    root_id: str
    channel_id: str
    type: str
    data_source: str
    url: str
    context: dict[str, Any]
    props: dict[str, Any]


class Proofs:
    """Makes and reads them, with a key that nobody else has.

    Args:
        clock: The wall clock.
        key_file: Says where the key is kept.
    """

    def __init__(self, clock: Clock, key_file: Callable[[], Path]) -> None:
        self._clock = clock
        self._key_file = key_file
        self._use(secrets.token_bytes(KEY_BYTES))

    def open(self) -> None:
        """Use the key that is kept, so that what was made before a restart counts after it."""
        self._use(keep_key(self._key_file()))

    def _use(self, key: bytes) -> None:
        self._signing = hashlib.sha256(b"trigger ids" + key).digest()
        self._sealing = AESGCM(hashlib.sha256(b"cookies" + key).digest())

    def new_trigger(self, user_id: str) -> tuple[str, str]:
        """A new trigger id: as the client is told it, and as the integration proves it."""
        triggered = Triggered(new_token(), user_id)
        return triggered.client_trigger_id, make_trigger_id(self._signing, triggered, self._now())

    def read_trigger(self, trigger_id: str) -> Triggered:
        """Who pressed or typed.

        Raises:
            BadRequest: 400: it was not made here, or it is too old.
        """
        try:
            return read_trigger_id(self._signing, trigger_id, self._now())
        except BadTriggerId as error:
            raise faults.bad_value(
                f"interactive_message.decode_trigger_id.{error}", "The trigger id is not valid any more."
            ) from error

    def seal(self, integration: Integration, *, action_id: str, user_id: str) -> str:
        """What a client brings back when somebody presses a button of a post that is not kept; it cannot read it."""
        nonce = secrets.token_bytes(_NONCE_BYTES)
        sealed = self._sealing.encrypt(nonce, msgspec.json.encode(integration), _bound(action_id, user_id))
        return base64.urlsafe_b64encode(nonce + sealed).decode()

    def unseal(self, cookie: str, *, action_id: str, user_id: str) -> Integration:
        """Where that button leads.

        Raises:
            BadRequest: 400: it is another button's, or another person's, or was not made here.
        """
        try:
            data = base64.b64decode(cookie, altchars=b"-_", validate=True)
            plain = self._sealing.decrypt(data[:_NONCE_BYTES], data[_NONCE_BYTES:], _bound(action_id, user_id))
        except (binascii.Error, ValueError, InvalidTag) as error:
            raise bad_cookie() from error
        return msgspec.json.decode(plain, type=Integration)

    def _now(self) -> int:
        return to_milliseconds(self._clock.now())


def bad_cookie() -> BadRequest:
    """400: the button's cookie is none."""
    return faults.bad_value("api.post.do_action.action_integration.app_error", "Action integration error.")


def keep_key(path: Path) -> bytes:
    """The key in this file, made when there is none; only its owner may read it."""
    path.parent.mkdir(parents=True, exist_ok=True)
    if path.exists():
        return path.read_bytes()
    new, key = path.with_suffix(".new"), secrets.token_bytes(KEY_BYTES)
    new.unlink(missing_ok=True)
    with os.fdopen(os.open(new, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
        file.write(key)
        file.flush()
        os.fsync(file.fileno())
    new.rename(path)
    return key


def _bound(action_id: str, user_id: str) -> bytes:
    return f"{action_id}:{user_id}".encode()

"""The second factor: an authenticator app's key as a picture, and whether its codes are asked for."""

from __future__ import annotations

import base64
import io
from uuid import UUID

import msgspec
import segno
import trio

from manor import (
    BadRequest,
    Conflict,
    Transaction,
    WrongCode,
    activate_totp,
    begin_totp,
    disable_totp,
)
from manor_chat import faults
from manor_chat.config import ChatConfig
from manor_chat.people.news import tell_changes
from manor_chat.people.profiles import existing_person
from manor_chat.rights import Rights
from manor_chat.store.people import Person

_PIXELS = 5
"""Of one module of the code's side: 200 to 300 in all."""


class MfaSecret(msgspec.Struct, frozen=True):
    """The key in base32, and a QR code of it: a PNG in base64."""

    secret: str
    qr_code: str

    def __repr__(self) -> str:
        """Without the key, whatever log or traceback it lands in."""
        return "MfaSecret(…)"


class Key(msgspec.Struct, frozen=True):
    """A key, and the URI that an app reads."""

    secret: str
    uri: str

    def __repr__(self) -> str:
        """Without the key, whatever log or traceback it lands in."""
        return "Key(…)"


def new_key(transaction: Transaction, rights: Rights, user_id: UUID) -> Key:
    """Make a key; nothing asks for codes before it is activated.

    Raises:
        BadRequest: 400: it is active already.
        NotFound: 404.
        Forbidden: 403.
    """
    person = _guarded(transaction, rights, user_id)
    try:
        setup = begin_totp(transaction, person.id)
    except Conflict as conflict:
        raise BadRequest(
            "Multi-factor authentication is active already.", code="mfa.generate_qr_code.create_code.app_error"
        ) from conflict
    return Key(setup.secret, setup.uri)


async def drawn(key: Key) -> MfaSecret:
    """A key with its picture, drawn off the loop."""
    return MfaSecret(key.secret, await trio.to_thread.run_sync(_draw, key.uri))


def activate(transaction: Transaction, rights: Rights, user_id: UUID, code: str, config: ChatConfig) -> None:
    """Ask for codes from now on.

    Raises:
        BadRequest: 400: the code is wrong, or there is no key.
        NotFound: 404.
        Forbidden: 403.
    """
    person = _guarded(transaction, rights, user_id)
    try:
        activate_totp(transaction, person.id, code)
    except WrongCode as wrong:
        raise BadRequest("Invalid MFA token.", code="mfa.activate.bad_token.app_error") from wrong
    except (BadRequest, Conflict) as refused:
        raise BadRequest(
            "Multi-factor authentication cannot be activated: generate a secret first.",
            code="mfa.activate.authenticate.app_error",
        ) from refused
    tell_changes(transaction, person, config)


def deactivate(transaction: Transaction, rights: Rights, user_id: UUID, config: ChatConfig) -> None:
    """Ask for codes no more, and forget the key.

    Raises:
        NotFound: 404.
        Forbidden: 403.
    """
    person = _guarded(transaction, rights, user_id)
    disable_totp(transaction, person.id)
    tell_changes(transaction, person, config)


def _guarded(transaction: Transaction, rights: Rights, user_id: UUID) -> Person:
    person = existing_person(transaction, user_id)
    rights.require_self(user_id)
    if person.is_bot or person.is_system:
        raise faults.no_permission()
    return person


def _draw(uri: str) -> str:
    written = io.BytesIO()
    segno.make(uri, error="m", micro=False).save(written, kind="png", scale=_PIXELS)
    return base64.b64encode(written.getvalue()).decode()

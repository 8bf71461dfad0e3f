"""Second factors: codes of an authenticator app (RFC 6238), and recovery codes for when it is lost."""

from __future__ import annotations

import hmac
import secrets
from collections.abc import Collection
from uuid import UUID

import msgspec
import pyotp
from sqlalchemy import delete, func, insert, select, update

from manor.errors import BadRequest, Conflict
from manor.identity.credential_tables import recovery_codes, totp
from manor.identity.credentials import digest
from manor.identity.users import find_user
from manor.storage import Transaction

ISSUER = "Manor"
RECOVERY_CODES = 10
LONGEST_CODE = 64

_ALPHABET = "abcdefghjkmnpqrstuvwxyz23456789"
_GROUPS = (5, 5, 5)
"""15 of 31 characters: 74 bits, which nobody tries."""


class TotpSetup(msgspec.Struct, frozen=True):
    """What an authenticator app needs to know.

    Args:
        secret: The key in base32, for typing.
        uri: The same as an `otpauth://` URI, for a QR code.
    """

    secret: str
    uri: str

    def __repr__(self) -> str:
        """Without the key, whatever log or traceback it lands in."""
        return "TotpSetup(…)"


class WrongCode(BadRequest):
    """400: the code is not the one that the app shows now, or was used before."""


def begin_totp(transaction: Transaction, user_id: UUID, *, account: str = "") -> TotpSetup:
    """Make a key; nothing asks for codes before `activate_totp`. A key that was made and never activated is replaced.

    Args:
        transaction: The caller's.
        user_id: Whose.
        account: What the app shows beside the code; their e-mail address or name when empty.

    Raises:
        Conflict: 409: it is active already.
    """
    if has_totp(transaction, user_id):
        raise Conflict("Two-factor sign-in is active already; disable it first")
    user = find_user(transaction, user_id=user_id)
    if user is not None:
        account = account or user.email or user.username
    secret = pyotp.random_base32()
    transaction.connection.execute(delete(totp).where(totp.c.user_id == user_id))
    transaction.connection.execute(
        insert(totp).values(user_id=user_id, secret=secret, created_at=transaction.now, activated_at=None, last_step=0)
    )
    return _setup(secret, account)


def pending_totp(transaction: Transaction, user_id: UUID) -> TotpSetup | None:
    """The key that was made and not activated yet, for a page that is loaded again; None when there is none."""
    query = select(totp.c.secret).where(totp.c.user_id == user_id, totp.c.activated_at.is_(None))
    secret = transaction.connection.execute(query).scalar_one_or_none()
    user = find_user(transaction, user_id=user_id)
    if secret is None or user is None:
        return None
    return _setup(secret, user.email or user.username)


def activate_totp(transaction: Transaction, user_id: UUID, code: str) -> list[str]:
    """Ask for codes from now on.

    Returns:
        Ten recovery codes, shown to the person now or never again.

    Raises:
        BadRequest: 400: no key was made.
        Conflict: 409: it is active already.
        WrongCode: 400.
    """
    if has_totp(transaction, user_id):
        raise Conflict("Two-factor sign-in is active already")
    row = transaction.connection.execute(select(totp.c.user_id).where(totp.c.user_id == user_id)).one_or_none()
    if row is None:
        raise BadRequest("Generate a key first")
    if not _take_step(transaction, user_id, code):
        raise WrongCode("The code is wrong")
    transaction.connection.execute(update(totp).where(totp.c.user_id == user_id).values(activated_at=transaction.now))
    return renew_recovery_codes(transaction, user_id)


def disable_totp(transaction: Transaction, user_id: UUID) -> bool:
    """Ask for no more codes, and forget the key and the recovery codes; False when it was not active."""
    was_active = has_totp(transaction, user_id)
    transaction.connection.execute(delete(totp).where(totp.c.user_id == user_id))
    transaction.connection.execute(delete(recovery_codes).where(recovery_codes.c.user_id == user_id))
    return was_active


def has_totp(transaction: Transaction, user_id: UUID) -> bool:
    """Whether this person's sign-ins need a code."""
    query = select(totp.c.user_id).where(totp.c.user_id == user_id, totp.c.activated_at.is_not(None))
    return transaction.connection.execute(query).one_or_none() is not None


def have_totp(transaction: Transaction, user_ids: Collection[UUID]) -> frozenset[UUID]:
    """Those of several people whose sign-ins need a code."""
    if not user_ids:
        return frozenset()
    query = select(totp.c.user_id).where(totp.c.user_id.in_(user_ids), totp.c.activated_at.is_not(None))
    return frozenset(transaction.connection.execute(query).scalars())


def check_totp(transaction: Transaction, user_id: UUID, code: str) -> bool:
    """Whether the app shows this code now, or did or will within 30 seconds; takes it, so that it works once."""
    return has_totp(transaction, user_id) and _take_step(transaction, user_id, code)


def check_code(transaction: Transaction, user_id: UUID, code: str) -> bool:
    """Whether this is a code of the app or a recovery code; takes it, so that it works once."""
    return check_totp(transaction, user_id, code) or use_recovery_code(transaction, user_id, code)


def renew_recovery_codes(transaction: Transaction, user_id: UUID) -> list[str]:
    """Make ten recovery codes; older ones are void. They are shown to the person now or never again."""
    transaction.connection.execute(delete(recovery_codes).where(recovery_codes.c.user_id == user_id))
    codes = [_new_code() for _ in range(RECOVERY_CODES)]
    rows = [{"user_id": user_id, "hash": digest(_plain(code)), "used_at": None} for code in codes]
    transaction.connection.execute(insert(recovery_codes), rows)
    return codes


def use_recovery_code(transaction: Transaction, user_id: UUID, code: str) -> bool:
    """Whether this is one of the person's recovery codes that was not used yet; takes it."""
    if len(code) > LONGEST_CODE:
        return False
    condition = (
        (recovery_codes.c.user_id == user_id)
        & (recovery_codes.c.hash == digest(_plain(code)))
        & recovery_codes.c.used_at.is_(None)
    )
    taken = transaction.connection.execute(update(recovery_codes).where(condition).values(used_at=transaction.now))
    return taken.rowcount > 0


def count_recovery_codes(transaction: Transaction, user_id: UUID) -> int:
    """How many recovery codes a person has left."""
    query = (
        select(func.count())
        .select_from(recovery_codes)
        .where(recovery_codes.c.user_id == user_id, recovery_codes.c.used_at.is_(None))
    )
    return transaction.connection.execute(query).scalar_one()


def _take_step(transaction: Transaction, user_id: UUID, code: str) -> bool:
    digits = "".join(code.split()) if len(code) <= LONGEST_CODE else ""
    if not (digits.isascii() and digits.isdigit()):
        return False
    row = transaction.connection.execute(select(totp.c.secret, totp.c.last_step).where(totp.c.user_id == user_id)).one()
    app = pyotp.TOTP(row.secret)
    now = app.timecode(transaction.now)
    # A step ahead of what could have been taken was taken while the clock was wrong: waiting for it helps nobody.
    last_step = row.last_step if row.last_step <= now + 1 else 0
    steps = [
        step
        for step in (now - 1, now, now + 1)
        if hmac.compare_digest(app.generate_otp(step), digits) and step > last_step
    ]
    if not steps:
        return False
    transaction.connection.execute(update(totp).where(totp.c.user_id == user_id).values(last_step=steps[0]))
    return True


def _setup(secret: str, account: str) -> TotpSetup:
    return TotpSetup(secret, pyotp.TOTP(secret).provisioning_uri(name=account, issuer_name=ISSUER))


def _new_code() -> str:
    return "-".join("".join(secrets.choice(_ALPHABET) for _ in range(length)) for length in _GROUPS)


def _plain(code: str) -> str:
    """A recovery code as it is compared: however it was typed."""
    return "".join(character for character in code.lower() if character.isalnum())

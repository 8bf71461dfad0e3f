"""Devices: tokens that rule this server from a phone, and the phrases that let another one in."""

from __future__ import annotations

import re
from datetime import timedelta
from uuid import UUID

import msgspec

from manor import (
    BadRequest,
    Credential,
    FieldProblem,
    NewCredential,
    NotFound,
    PluginContext,
    Presented,
    Principal,
    Transaction,
    Unprocessable,
    change_credential,
    delete_credential,
    find_by_secret,
    find_credential,
    issue,
    list_credentials,
    new_secret,
)
from manor_auth.config import AuthConfig
from manor_auth.device_rules import device_name, free_name, precise, recovery_end
from manor_auth.phrases import Phrases, as_made

DEVICE, NEW_DEVICE, RECOVERY = "device", "new_device", "recovery"

PHRASE_LIFE = timedelta(minutes=10)
"""How long a phrase for a new device waits."""

_TOKEN = re.compile(r"[A-Za-z0-9_-]{43}")

LONGEST_NAME = 255
"""Characters of what a device says that it is called."""

NEW_DEVICE_BYTES = 16
RECOVERY_BYTES = 24


def looks_like_device_token(secret: str) -> bool:
    """Whether it may be a device's: 43 characters that stand for 32 bytes."""
    return _TOKEN.fullmatch(secret) is not None


class Device(msgspec.Struct, frozen=True):
    """A device, as the others see it; `date` is when it came, whatever happened to its token since."""

    name: str
    date: str
    is_caller: bool


class Recovery(msgspec.Struct, frozen=True):
    """How the recovery phrase fares; None for no end, and for any number of uses."""

    exists: bool = False
    valid: bool = False
    date: str | None = None
    expiration: str | None = None
    uses_left: int | None = None


class Devices:
    """Lets devices in, and out.

    Args:
        context: The plugin's.
        phrases: Makes phrases.
    """

    def __init__(self, context: PluginContext[AuthConfig], phrases: Phrases) -> None:
        self._identity = context.identity
        self._storage = context.storage
        self._audit = context.audit
        self._phrases = phrases

    async def authenticate(self, presented: Presented) -> Principal | None:
        """The device behind a token; None when it is unknown or was removed."""
        return await self._identity.authenticate(DEVICE, presented.secret)

    # --- Tokens ----------------------------------------------------------------------------------------------------

    async def list(self, caller: UUID) -> list[Device]:
        """All devices, in the order in which they came."""
        devices = await self._storage.read(_devices)
        shown = [Device(device.label, _date(device), device.id == caller) for device in devices]
        return sorted(shown, key=lambda device: device.date)

    async def add(self, name: str) -> str:
        """Let a device in from the shell; gives its token.

        Raises:
            Unprocessable: The name is too long.
        """
        if len(name) > LONGEST_NAME:
            message = f"expected at most {LONGEST_NAME} characters, got {len(name)}"
            raise Unprocessable(f"label: {message}", errors=[FieldProblem("label", message)])
        secret = new_secret()
        await self._storage.write(lambda transaction: self._add(transaction, name, secret, actor="shell", by="shell"))
        return secret

    async def renew(self, caller: UUID) -> str:
        """Replace a device's token; the old one is dead at once.

        Raises:
            NotFound: It was removed meanwhile.
        """
        secret = new_secret()

        def work(transaction: Transaction) -> None:
            device = find_credential(transaction, caller)
            if device is None or device.kind != DEVICE or not device.is_usable(transaction.now):
                raise _unknown("message")
            delete_credential(transaction, device.id)
            new = NewCredential(kind=DEVICE, scopes=device.scopes, label=device.label, meta={"date": _date(device)})
            renewed = issue(transaction, new, secret)
            self._audit.record(transaction, "auth.device_renewed", actor=str(device.id), target=str(renewed.id))

        await self._storage.write(work)
        return secret

    async def remove(self, caller: UUID, name: str) -> None:
        """Let a device in no more.

        Raises:
            BadRequest: It is the caller.
            NotFound: There is none of that name.
        """

        def work(transaction: Transaction) -> None:
            device = next((device for device in _devices(transaction) if device.label == name), None)
            if device is None:
                raise _unknown("message")
            if device.id == caller:
                raise BadRequest("Cannot delete caller's token", code="message")
            delete_credential(transaction, device.id)
            self._audit.record(transaction, "auth.device_removed", actor=str(caller), target=str(device.id))

        await self._storage.write(work)

    # --- Another device --------------------------------------------------------------------------------------------

    async def invite(self, caller: UUID) -> str:
        """Make the phrase for a new device; an older one is good no more."""
        phrase = self._phrases.make(NEW_DEVICE_BYTES)

        def work(transaction: Transaction) -> None:
            _forget(transaction, NEW_DEVICE)
            new = NewCredential(kind=NEW_DEVICE, expires_at=transaction.now + PHRASE_LIFE)
            made = issue(transaction, new, phrase)
            self._audit.record(transaction, "auth.device_invited", actor=str(caller), target=str(made.id))

        await self._storage.write(work)
        return phrase

    async def withdraw(self) -> None:
        """Forget the phrase for a new device, if there is one."""
        await self._storage.write(lambda transaction: _forget(transaction, NEW_DEVICE))

    async def accept(self, phrase: str, name: str) -> str:
        """Let the device in that brings the phrase; gives its token.

        Raises:
            NotFound: The phrase is not the one that waits, or waited too long.
        """
        secret = new_secret()

        def work(transaction: Transaction) -> None:
            waiting = find_by_secret(transaction, as_made(phrase), kind=NEW_DEVICE)
            if waiting is None or not waiting.is_usable(transaction.now):
                raise _unknown("message")
            delete_credential(transaction, waiting.id)
            self._add(transaction, name, secret, actor=str(waiting.id), by=NEW_DEVICE)

        await self._storage.write(work)
        return secret

    # --- When all devices are lost ---------------------------------------------------------------------------------

    async def recovery(self) -> Recovery:
        """How the recovery phrase fares."""

        def work(transaction: Transaction) -> Recovery:
            made = list_credentials(transaction, kind=RECOVERY)
            if not made:
                return Recovery()
            last = made[-1]
            end = None if last.expires_at is None else precise(last.expires_at)
            is_valid = last.is_usable(transaction.now) and _uses_left(last) != 0
            return Recovery(True, is_valid, precise(last.created_at), end, _uses_left(last))

        return await self._storage.read(work)

    async def make_recovery(self, caller: UUID, expiration: str | None, uses: int | None) -> str:
        """Make the recovery phrase; an older one is good no more.

        Args:
            caller: Who asks.
            expiration: From when on it lets nobody in, such as `2026-05-01T12:00:00.000Z`; None for never.
            uses: How many devices it lets in; None for any number.

        Raises:
            BadRequest: The end is no time, or in the past.
        """
        expires_at = None if expiration is None else recovery_end(expiration)
        if expiration is not None and expires_at is None:
            raise BadRequest("Invalid expiration: a time such as 2026-05-01T12:00:00.000Z is expected")
        phrase = self._phrases.make(RECOVERY_BYTES)

        def work(transaction: Transaction) -> None:
            if expires_at is not None and expires_at <= transaction.now:
                raise BadRequest("The expiration has to be in the future", code="message")
            _forget(transaction, RECOVERY)
            new = NewCredential(kind=RECOVERY, expires_at=expires_at, meta={"uses_left": uses})
            made = issue(transaction, new, phrase)
            self._audit.record(transaction, "auth.recovery_phrase_made", actor=str(caller), target=str(made.id))

        await self._storage.write(work)
        return phrase

    async def recover(self, phrase: str, name: str) -> str:
        """Let a device in by the recovery phrase; gives its token.

        Raises:
            NotFound: It is another phrase, its time is over, or it is used up.
        """
        secret = new_secret()

        def work(transaction: Transaction) -> None:
            found = find_by_secret(transaction, as_made(phrase), kind=RECOVERY)
            if found is None or not found.is_usable(transaction.now) or _uses_left(found) == 0:
                raise _unknown("error")
            left = _uses_left(found)
            if left is not None:
                change_credential(transaction, found.id, meta={**found.meta, "uses_left": left - 1})
            self._add(transaction, name, secret, actor=str(found.id), by=RECOVERY)

        await self._storage.write(work)
        return secret

    def _add(self, transaction: Transaction, name: str, secret: str, *, actor: str, by: str) -> None:
        taken = {device.label for device in _devices(transaction)}
        label = free_name(device_name(name), taken)
        device = issue(transaction, NewCredential(kind=DEVICE, scopes=("*",), label=label), secret)
        self._audit.record(
            transaction, "auth.device_added", actor=actor, target=str(device.id), detail={"name": label, "by": by}
        )


def _devices(transaction: Transaction) -> list[Credential]:
    devices = list_credentials(transaction, kind=DEVICE)
    return [device for device in devices if device.is_usable(transaction.now)]


def _forget(transaction: Transaction, kind: str) -> None:
    for credential in list_credentials(transaction, kind=kind):
        delete_credential(transaction, credential.id)


def _date(device: Credential) -> str:
    """When it came: a renewed token is a credential of its own, and remembers."""
    date: str = device.meta.get("date") or precise(device.created_at)
    return date


def _uses_left(recovery: Credential) -> int | None:
    left: int | None = recovery.meta.get("uses_left")
    return left


def _unknown(member: str) -> NotFound:
    # The clients of these operations look for the reason in one of two members.
    return NotFound("Token not found", code=member)

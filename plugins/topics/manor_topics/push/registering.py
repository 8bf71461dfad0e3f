"""Devices: registered by whoever holds them, seen and changed by nobody else, tried on demand."""

from __future__ import annotations

from collections.abc import Callable, Collection
from dataclasses import dataclass
from datetime import timedelta
from uuid import UUID

import msgspec
from msgspec import UNSET, UnsetType

from manor import (
    Clock,
    Conflict,
    Forbidden,
    NotFound,
    Storage,
    Transaction,
    Unauthorized,
    Unavailable,
    find_user,
    new_id,
)
from manor_topics.creating import refusal
from manor_topics.domain import Misfit
from manor_topics.messages import Message
from manor_topics.push.addresses import Platform, check_token, digest_of
from manor_topics.push.delivering import note_outcome
from manor_topics.push.device_store import (
    Device,
    count_devices,
    devices_of,
    find_device,
    put_device,
    remove_device,
)
from manor_topics.push.finding import unread_in_all
from manor_topics.push.notices import Dead, Failed, Letter, Notice, Provider

MOST_DEVICES = 100
"""Of one person: each message is a request for each of them."""

TRIAL_LIFE = timedelta(minutes=5)


@dataclass(frozen=True, kw_only=True)
class WantedDevice:
    """A device, as whoever holds it says."""

    push_token: str
    platform: Platform
    device_id: str
    device_name: str | None = None
    app_version: str | None = None


class Registering:
    """Keeps people's devices.

    Args:
        storage: Where they stand.
        clock: Dates trials.
        provider_of: What reaches devices of a platform.
        own_origins: Push services that may do without TLS.
    """

    def __init__(
        self,
        storage: Storage,
        clock: Clock,
        provider_of: Callable[[str], Provider | None],
        own_origins: Collection[str],
    ) -> None:
        self._storage = storage
        self._clock = clock
        self._provider_of = provider_of
        self._own_origins = own_origins

    async def register(self, user_id: UUID, wanted: WantedDevice) -> Device:
        """Make a device known, or known anew: it is reached in this way from now on, and nobody else is.

        Raises:
            Unprocessable: It cannot be reached so.
            Forbidden: They have too many.
        """
        digest = self._checked(wanted.platform, wanted.push_token)

        def work(transaction: Transaction) -> Device:
            connection, now = transaction.connection, transaction.now
            if find_user(transaction, user_id=user_id) is None:
                raise Unauthorized("This account is gone")
            known = next((each for each in devices_of(connection, user_id) if each.device_id == wanted.device_id), None)
            if known is None and count_devices(connection, user_id) >= MOST_DEVICES:
                raise Forbidden(f"You have {MOST_DEVICES} devices; remove one first")
            is_same_way = known is not None and known.token_digest == digest
            device = Device(
                id=new_id() if known is None else known.id,
                user_id=user_id,
                device_id=wanted.device_id,
                platform=wanted.platform,
                push_token=wanted.push_token,
                token_digest=digest,
                device_name=wanted.device_name,
                app_version=wanted.app_version,
                is_active=True,
                created_at=now if known is None else known.created_at,
                last_seen=now,
                last_success_at=None if known is None else known.last_success_at,
                last_error_at=None if known is None else known.last_error_at,
                last_error=None if known is None else known.last_error,
                failures=known.failures if known is not None and is_same_way else 0,
                delivered=0 if known is None else known.delivered,
            )
            put_device(connection, device)
            return device

        return await self._storage.write(work)

    async def list(self, user_id: UUID) -> list[Device]:
        """Somebody's devices, the oldest first."""
        return await self._storage.read(lambda transaction: devices_of(transaction.connection, user_id))

    async def get(self, user_id: UUID, reference: str) -> Device:
        """One of somebody's devices.

        Raises:
            NotFound: They have none of this id.
        """
        return await self._storage.read(lambda transaction: _found(transaction, user_id, reference))

    async def change(
        self,
        user_id: UUID,
        reference: str,
        *,
        push_token: str | UnsetType,
        device_name: str | UnsetType | None,
        app_version: str | UnsetType | None,
    ) -> Device:
        """Change what is known of a device; what is left out stays.

        Raises:
            NotFound: They have none of this id.
            Unprocessable: It cannot be reached so.
        """

        def work(transaction: Transaction) -> Device:
            device = _found(transaction, user_id, reference)
            changes = {"device_name": device_name, "app_version": app_version}
            given = {name: value for name, value in changes.items() if value is not UNSET}
            device = msgspec.structs.replace(device, last_seen=transaction.now, **given)
            if push_token is not UNSET:
                digest = self._checked(device.platform, push_token)
                failures = device.failures if digest == device.token_digest else 0
                device = msgspec.structs.replace(
                    device, push_token=push_token, token_digest=digest, is_active=True, failures=failures
                )
            put_device(transaction.connection, device)
            return device

        return await self._storage.write(work)

    async def remove(self, user_id: UUID, reference: str) -> None:
        """Forget a device: it is sent nothing any more.

        Raises:
            NotFound: They have none of this id.
        """

        def work(transaction: Transaction) -> None:
            remove_device(transaction.connection, _found(transaction, user_id, reference).id)

        await self._storage.write(work)

    async def test(self, user_id: UUID, reference: str) -> Device:
        """Send a device something, and see that its push service takes it.

        Raises:
            NotFound: They have none of this id.
            Unavailable: Nothing that reaches it is configured, or its push service has not taken it.
            Conflict: Its push token is dead; it is sent nothing any more.
        """

        def look(transaction: Transaction) -> tuple[Device, int]:
            return _found(transaction, user_id, reference), unread_in_all(transaction, user_id)

        device, badge = await self._storage.read(look)
        provider = self._provider_of(device.platform)
        if provider is None:
            raise Unavailable(f"This server pushes nothing to devices of the platform '{device.platform}'")
        (outcome,) = await provider.send([Letter(device.push_token, self._trial(badge))])
        await self._storage.write(
            lambda transaction: note_outcome(transaction, device.id, device.token_digest, outcome)
        )
        if isinstance(outcome, Dead):
            raise Conflict(f"The push token is dead, so the device is inactive now: {outcome.reason}")
        if isinstance(outcome, Failed):
            raise Unavailable(f"The push service did not take the notification: {outcome.reason}")
        return device

    def _trial(self, badge: int) -> Notice:
        now = self._clock.now()
        id_ = new_id()
        message = Message(
            id=id_,
            topic_id=id_,
            topic="test",
            message="Notifications reach this device.",
            title="Test notification",
            priority=3,
            tags=[],
            timestamp=now,
            expires_at=None,
            sequence=0,
        )
        return Notice(message, until=now + TRIAL_LIFE, badge=badge)

    def _checked(self, platform: str, push_token: str) -> bytes:
        try:
            check_token(platform, push_token, self._own_origins)
        except Misfit as misfit:
            raise refusal(misfit) from misfit
        return digest_of(platform, push_token)


def _found(transaction: Transaction, user_id: UUID, reference: str) -> Device:
    device = find_device(transaction.connection, user_id, reference)
    if device is None:
        raise NotFound("You have no such device")
    return device

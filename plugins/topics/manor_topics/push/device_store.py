"""Questions asked of devices."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

import msgspec
from sqlalchemy import Connection, and_, case, delete, func, insert, or_, select, update

from manor_topics.domain import read_id
from manor_topics.push.addresses import Platform
from manor_topics.push.devices_tables import devices


class Device(msgspec.Struct, frozen=True, kw_only=True):
    """A device, and how delivering to it went."""

    id: UUID
    user_id: UUID
    device_id: str
    platform: Platform
    push_token: str
    token_digest: bytes
    device_name: str | None
    app_version: str | None
    is_active: bool
    created_at: datetime
    last_seen: datetime
    last_success_at: datetime | None
    last_error_at: datetime | None
    last_error: str | None
    failures: int
    delivered: int


COLUMNS = tuple(devices.c[name] for name in Device.__struct_fields__)


def read_device(row: Sequence[Any]) -> Device:
    """The device of a row that has `COLUMNS`."""
    return Device(**dict(zip(Device.__struct_fields__, row, strict=True)))


def find_device(connection: Connection, user_id: UUID, reference: str) -> Device | None:
    """Somebody's device, by its id, else by what the app calls it."""
    id_ = read_id(reference)
    is_it = devices.c.device_id == reference
    statement = select(*COLUMNS).where(devices.c.user_id == user_id)
    if id_ is None:
        row = connection.execute(statement.where(is_it)).one_or_none()
    else:
        either = statement.where(or_(devices.c.id == id_, is_it))
        row = connection.execute(either.order_by(case((devices.c.id == id_, 0), else_=1)).limit(1)).one_or_none()
    return None if row is None else read_device(row)


def devices_of(connection: Connection, user_id: UUID) -> list[Device]:
    """Somebody's devices, the oldest first."""
    statement = select(*COLUMNS).where(devices.c.user_id == user_id).order_by(devices.c.created_at, devices.c.id)
    return [read_device(row) for row in connection.execute(statement)]


def count_devices(connection: Connection, user_id: UUID) -> int:
    """How many devices somebody has."""
    count = select(func.count()).select_from(devices).where(devices.c.user_id == user_id)
    return int(connection.execute(count).scalar_one())


def put_device(connection: Connection, device: Device) -> None:
    """Store a device, new or changed; whichever other one was reached in the same way is gone."""
    same_way = and_(devices.c.token_digest == device.token_digest, devices.c.id != device.id)
    connection.execute(delete(devices).where(same_way))
    values = msgspec.structs.asdict(device)
    changed = connection.execute(update(devices).where(devices.c.id == device.id).values(values)).rowcount
    if not changed:
        connection.execute(insert(devices).values(values))


def remove_device(connection: Connection, id_: UUID) -> None:
    """Forget a device."""
    connection.execute(delete(devices).where(devices.c.id == id_))


def remove_some(connection: Connection, user_id: UUID, limit: int) -> int:
    """Forget some of somebody's devices; how many are gone."""
    some = select(devices.c.id).where(devices.c.user_id == user_id).limit(limit)
    return connection.execute(delete(devices).where(devices.c.id.in_(some))).rowcount


def remove_unseen(connection: Connection, before: datetime, limit: int) -> int:
    """Forget some of the devices that neither registered nor took anything since; how many are gone."""
    is_silent = or_(devices.c.last_success_at.is_(None), devices.c.last_success_at < before)
    some = select(devices.c.id).where(devices.c.last_seen < before, is_silent).limit(limit)
    return connection.execute(delete(devices).where(devices.c.id.in_(some))).rowcount


# --- How delivering went: said of a device only while it is reached in the way that was tried ------------------------


def note_success(connection: Connection, id_: UUID, digest: bytes, now: datetime) -> None:
    """Its push service has taken something."""
    connection.execute(
        update(devices)
        .where(devices.c.id == id_, devices.c.token_digest == digest)
        .values(last_success_at=now, failures=0, delivered=devices.c.delivered + 1, is_active=True)
    )


def note_failure(
    connection: Connection, id_: UUID, digest: bytes, now: datetime, reason: str, *, is_dead: bool
) -> None:
    """Its push service has not taken something; a dead device is sent nothing any more."""
    values: dict[str, Any] = {"last_error_at": now, "last_error": reason, "failures": devices.c.failures + 1}
    if is_dead:
        values["is_active"] = False
    connection.execute(update(devices).where(devices.c.id == id_, devices.c.token_digest == digest).values(values))

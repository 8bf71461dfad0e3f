"""A device as its owner sees it, in answers and in exports."""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

import msgspec

from manor_topics.push.addresses import Platform
from manor_topics.push.device_store import Device


class DeviceShown(msgspec.Struct, frozen=True, kw_only=True):
    """A device, and how delivering to it went: `failures` are those since the last success."""

    id: UUID
    user_id: UUID
    push_token: str
    platform: Platform
    device_id: str
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


def shown(device: Device) -> DeviceShown:
    """A device as its owner sees it."""
    return DeviceShown(**{name: getattr(device, name) for name in DeviceShown.__struct_fields__})

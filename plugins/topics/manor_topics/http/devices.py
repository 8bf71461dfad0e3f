"""Devices over HTTP, and the key that browsers subscribe with."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Annotated
from uuid import UUID

import msgspec
from msgspec import UNSET, Meta, UnsetType

from manor import PUBLIC, Principal, Request, Route, Unauthorized, Unavailable
from manor_topics.creating import refusal
from manor_topics.domain import Misfit
from manor_topics.http.api import NOTIFER, SIGNED_IN
from manor_topics.push.addresses import LONGEST_TOKEN, Platform
from manor_topics.push.registering import Registering, WantedDevice
from manor_topics.push.showing import DeviceShown, shown
from manor_topics.rights import in_scope

BODY_LIMIT = 16_384
SCOPE = "devices"

Token = Annotated[
    str,
    Meta(
        min_length=1,
        max_length=LONGEST_TOKEN,
        description="What the push service gave out; of the platform `web` the PushSubscription as JSON.",
    ),
]
Name = Annotated[str, Meta(max_length=100)]
Version = Annotated[str, Meta(max_length=50)]


class RegisterDevice(msgspec.Struct, frozen=True, kw_only=True):
    """A device, in the words of whoever holds it; `device_id` is what the app calls it, and stays the same."""

    push_token: Token
    platform: Platform
    device_id: Annotated[str, Meta(min_length=1, max_length=255)]
    device_name: Name | None = None
    app_version: Version | None = None


class ChangeDevice(msgspec.Struct, frozen=True, kw_only=True):
    """What changes about a device; what is left out stays."""

    push_token: Token | UnsetType = UNSET
    device_name: Name | UnsetType | None = UNSET
    app_version: Version | UnsetType | None = UNSET


class DeviceTested(msgspec.Struct, frozen=True):
    """The push service took the notification."""

    message: str
    device_id: UUID


class VapidPublicKey(msgspec.Struct, frozen=True):
    """What a browser's `pushManager.subscribe` is given as `applicationServerKey`, in base64url."""

    public_key: str


class DeviceHandlers:
    """One method for each operation.

    Args:
        registering: Does it.
        public_key: The key for browsers; None while these are not pushed to.
    """

    def __init__(self, registering: Registering, public_key: Callable[[], str | None]) -> None:
        self._registering = registering
        self._public_key = public_key

    async def register(self, request: Request[RegisterDevice]) -> DeviceShown:
        """Have a device notified; the same `device_id` once more changes what is known of it."""
        body = request.body
        for field in ("device_id", "device_name", "app_version"):
            _check_printable(field, getattr(body, field))
        wanted = WantedDevice(**msgspec.structs.asdict(body))
        return shown(await self._registering.register(_person(request.principals), wanted))

    async def list(self, request: Request) -> list[DeviceShown]:
        """Your devices, the oldest first."""
        return [shown(device) for device in await self._registering.list(_person(request.principals))]

    async def get(self, request: Request) -> DeviceShown:
        """One of your devices, by its id or its `device_id`."""
        return shown(await self._registering.get(_person(request.principals), request.params["device_id"]))

    async def change(self, request: Request[ChangeDevice]) -> DeviceShown:
        """Change how a device is reached, or what it is called."""
        body = request.body
        for field in ("device_name", "app_version"):
            _check_printable(field, getattr(body, field))
        device = await self._registering.change(
            _person(request.principals),
            request.params["device_id"],
            push_token=body.push_token,
            device_name=body.device_name,
            app_version=body.app_version,
        )
        return shown(device)

    async def remove(self, request: Request) -> None:
        """Have a device notified no more."""
        await self._registering.remove(_person(request.principals), request.params["device_id"])

    async def test(self, request: Request) -> DeviceTested:
        """Send a device a notification now; answered once its push service has taken it."""
        device = await self._registering.test(_person(request.principals), request.params["device_id"])
        return DeviceTested("Test notification sent", device.id)

    async def vapid_key(self, request: Request) -> VapidPublicKey:
        """The key that browsers subscribe to Web Push with."""
        key = self._public_key()
        if key is None:
            raise Unavailable("This server pushes nothing to browsers")
        return VapidPublicKey(key)


def device_routes(handlers: DeviceHandlers) -> list[Route]:
    """Register, list, get, change, remove, test; the key."""
    path = "/api/devices/{device_id}"
    return [
        Route(
            "POST",
            "/api/devices/register",
            handlers.register,
            api=NOTIFER,
            access=SIGNED_IN,
            body=RegisterDevice,
            body_limit=BODY_LIMIT,
            returns=DeviceShown,
            status=201,
        ),
        Route("GET", "/api/devices/my", handlers.list, api=NOTIFER, access=SIGNED_IN, returns=list[DeviceShown]),
        Route("GET", path, handlers.get, api=NOTIFER, access=SIGNED_IN, returns=DeviceShown),
        Route(
            "PUT",
            path,
            handlers.change,
            api=NOTIFER,
            access=SIGNED_IN,
            body=ChangeDevice,
            body_limit=BODY_LIMIT,
            returns=DeviceShown,
        ),
        Route("DELETE", path, handlers.remove, api=NOTIFER, access=SIGNED_IN, status=204),
        Route(
            "POST",
            f"{path}/test",
            handlers.test,
            api=NOTIFER,
            access=SIGNED_IN,
            returns=DeviceTested,
            errors=(409, 503),
        ),
        Route(
            "GET",
            "/api/push/vapid-key",
            handlers.vapid_key,
            api=NOTIFER,
            access=PUBLIC,
            returns=VapidPublicKey,
            errors=(503,),
        ),
    ]


def _person(principals: Sequence[Principal]) -> UUID:
    """Whose devices they are: the session's, where a key comes along with it."""
    able = [each for each in in_scope(principals, SCOPE) if each.user_id is not None]
    able.sort(key=lambda principal: principal.kind != "access")
    person = able[0].user_id if able else None
    if person is None:
        raise Unauthorized("Devices are people's")
    return person


def _check_printable(field: str, value: str | UnsetType | None) -> None:
    # Lists of devices are shown in terminals, too.
    if isinstance(value, str) and (not value.isprintable() or (field == "device_id" and not value.strip())):
        raise refusal(Misfit(field, "is made of characters that can be seen"))

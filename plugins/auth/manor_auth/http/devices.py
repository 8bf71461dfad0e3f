"""Device tokens: the `/auth` part of the SelfPrivacy REST API."""

from __future__ import annotations

from typing import Annotated, Any
from uuid import UUID

import msgspec
from msgspec import Meta

from manor import (
    PUBLIC,
    SELFPRIVACY,
    Api,
    BadRequest,
    FieldProblem,
    Kinds,
    Rate,
    Request,
    Route,
    Unauthorized,
)
from manor_auth.devices import DEVICE, LONGEST_NAME, Device, Devices, Recovery
from manor_auth.http.api import BODY_LIMIT, NO_STORE

DEVICES = Api(
    "devices",
    SELFPRIVACY,
    kinds=frozenset({DEVICE}),
    anonymous_rate=Rate(60),
    signed_in_rate=Rate(300),
    headers=NO_STORE,
    credential_first=True,
    bad_value_status=400,
    missing_credential="Missing Authorization header",
    bad_credential="Invalid token",
)
"""For devices that are in."""

DEVICES_TO_BE = Api(
    "devices sign-in", SELFPRIVACY, places=(), anonymous_rate=Rate(30), headers=NO_STORE, bad_value_status=400
)
"""For those that bring a phrase; whatever token is with it is not looked at."""

ONLY_DEVICES = Kinds(DEVICE)

Phrase = Annotated[str, Meta(max_length=1024, description="Case and blanks do not matter.")]


class Secret(msgspec.Struct, frozen=True):
    """A new token, or a phrase: shown this once."""

    token: str


class Withdrawn(msgspec.Struct, frozen=True):
    """There is no phrase any more."""

    token: None = None


class Done(msgspec.Struct, frozen=True):
    """An answer that says one sentence."""

    message: str


class Authorized(Done, frozen=True):
    """The device is in; its token is shown this once."""

    token: str


class WhichDevice(msgspec.Struct, frozen=True):
    """A device by its name; either member says it, the first wins."""

    token_name: str | None = None
    token: str | None = None


class NewDevice(msgspec.Struct, frozen=True):
    """A phrase, and what the device that brings it is called."""

    token: Phrase
    device: Annotated[str, Meta(max_length=LONGEST_NAME)]


class WantedRecovery(msgspec.Struct, frozen=True):
    """When the phrase ends, and how many devices it lets in; without them it has no end."""

    expiration: Annotated[str, Meta(description="UTC, such as 2026-05-01T12:00:00.000Z.")] | None = None
    uses: Annotated[int, Meta(ge=1, lt=2**31)] | None = None


class DeviceHandlers:
    """One method for each operation."""

    def __init__(self, devices: Devices) -> None:
        self._devices = devices

    async def list(self, request: Request) -> list[Device]:
        """All devices, the caller among them."""
        return await self._devices.list(_caller(request))

    async def renew(self, request: Request) -> Secret:
        """Replace one's token; the old one is dead at once."""
        return Secret(await self._devices.renew(_caller(request)))

    async def remove(self, request: Request[WhichDevice]) -> Done:
        """Let another device in no more."""
        body = request.body
        name = body.token if body.token_name is None else body.token_name
        if name is None:
            raise BadRequest("token_name: is missing", errors=[FieldProblem("token_name", "is missing")])
        await self._devices.remove(_caller(request), name)
        return Done("Token deleted")

    async def invite(self, request: Request) -> Secret:
        """Make the phrase for a new device: 12 words, good once within 10 minutes."""
        return Secret(await self._devices.invite(_caller(request)))

    async def withdraw(self, request: Request) -> Withdrawn:
        """Forget the phrase for a new device."""
        await self._devices.withdraw()
        return Withdrawn()

    async def accept(self, request: Request[NewDevice]) -> Authorized:
        """Come in as a new device."""
        token = await self._devices.accept(request.body.token, request.body.device)
        return Authorized("Device authorized", token)

    async def recovery(self, request: Request) -> Recovery:
        """How the recovery phrase fares."""
        return await self._devices.recovery()

    async def make_recovery(self, request: Request[WantedRecovery | None]) -> Secret:
        """Make the recovery phrase: 18 words, for when all devices are lost."""
        wanted = request.body or WantedRecovery()
        return Secret(await self._devices.make_recovery(_caller(request), wanted.expiration, wanted.uses))

    async def recover(self, request: Request[NewDevice]) -> Secret:
        """Come in by the recovery phrase."""
        return Secret(await self._devices.recover(request.body.token, request.body.device))


def _caller(request: Request[Any, Any]) -> UUID:
    for principal in request.principals:
        if principal.credential_id is not None:
            return principal.credential_id
    raise Unauthorized(DEVICES.missing_credential)


def device_routes(handlers: DeviceHandlers) -> list[Route]:
    """Tokens, new devices, recovery."""

    def guarded(method: str, path: str, handler: Any, returns: Any, **more: Any) -> Route:
        return Route(
            method,
            path,
            handler,
            api=DEVICES,
            access=ONLY_DEVICES,
            body_limit=BODY_LIMIT,
            returns=returns,
            **more,
        )

    def open_(path: str, handler: Any, returns: Any) -> Route:
        return Route(
            "POST",
            path,
            handler,
            api=DEVICES_TO_BE,
            access=PUBLIC,
            body=NewDevice,
            body_limit=BODY_LIMIT,
            returns=returns,
            errors=(404,),
        )

    new_device, recovery = "/auth/new_device", "/auth/recovery_token"
    return [
        guarded("GET", "/auth/tokens", handlers.list, list[Device]),
        guarded("POST", "/auth/tokens", handlers.renew, Secret, errors=(404,)),
        guarded("DELETE", "/auth/tokens", handlers.remove, Done, body=WhichDevice, errors=(404,)),
        guarded("POST", new_device, handlers.invite, Secret),
        guarded("DELETE", new_device, handlers.withdraw, Withdrawn),
        open_(f"{new_device}/authorize", handlers.accept, Authorized),
        guarded("GET", recovery, handlers.recovery, Recovery),
        guarded("POST", recovery, handlers.make_recovery, Secret, body=WantedRecovery | None),
        open_(f"{recovery}/use", handlers.recover, Secret),
    ]

"""The SSH server: its settings, and who comes in by which key."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import msgspec

from manor import BadRequest, NotFound, Reply, Request, Route
from manor_hostservices.acting import caller
from manor_hostservices.http.api import CHANGE_SECONDS, HOST_API, ONLY_DEVICES, said, told
from manor_hostservices.parts import Shared
from manor_hostservices.rules import Rule, read_public_key
from manor_hostservices.rules.public_keys import LONGEST
from manor_hostservices.verbs import AddKey, ReadKeys, ReadSsh, RemoveKey, SetSsh

ROOT = "root"
LONGEST_NAME = 64


class SshAnswer(msgspec.Struct, frozen=True, rename="camel"):
    """Whether the SSH server runs, and takes passwords."""

    enable: bool
    password_authentication: bool


class SshChange(msgspec.Struct, frozen=True, rename="camel"):
    """What is to be changed of it."""

    enable: bool | None = None
    password_authentication: bool | None = None


class Enabled(msgspec.Struct, frozen=True):
    """Something was done; `status` is 0."""

    status: int
    message: str


class KeyBody(msgspec.Struct, frozen=True):
    """A public key: a line `TYPE BASE64 [COMMENT]`."""

    public_key: str


class KeyDone(msgspec.Struct, frozen=True):
    """What was asked for a key is done."""

    message: str


class SshHandlers:
    """One method for each operation.

    Args:
        shared: What all parts use.
    """

    def __init__(self, shared: Shared) -> None:
        self._host = shared.host
        self._acting = shared.acting
        self._primary = shared.config.primary_user

    async def settings(self, request: Request) -> SshAnswer:
        """Whether the SSH server runs, and takes passwords."""
        with told():
            settings = await self._host.ask(ReadSsh())
        return SshAnswer(settings.enable, settings.password_authentication)

    async def change(self, request: Request[SshChange]) -> Reply:
        """Change the SSH server's settings; what is not said stays."""
        wanted = request.body
        if wanted.enable is not None or wanted.password_authentication is not None:
            with told():
                await self._acting.change(SetSsh(wanted.enable, wanted.password_authentication), by=caller(request))
        return said("SSH settings changed")

    async def enable(self, request: Request) -> Enabled:
        """Start the SSH server, now and with the host."""
        with told():
            await self._acting.change(SetSsh(enable=True), by=caller(request))
        return Enabled(0, "SSH enabled")

    async def add_for_root(self, request: Request[KeyBody]) -> Enabled:
        """Let a key in as root."""
        await self._add(ROOT, request)
        return Enabled(0, "New SSH key successfully written")

    async def keys(self, request: Request) -> Reply:
        """An account's public keys, in the order in which they came."""
        user = _user_of(request)
        with told():
            return said(await self._host.ask(ReadKeys(user)))

    async def add(self, request: Request[KeyBody]) -> KeyDone:
        """Let a key in."""
        user = _user_of(request)
        if user == ROOT:
            raise BadRequest("Use /ssh/key/send to add root keys")
        await self._add(user, request)
        return KeyDone("New SSH key successfully written")

    async def remove(self, request: Request[KeyBody]) -> KeyDone:
        """Let a key in no more."""
        user = _user_of(request)
        if len(request.body.public_key) > LONGEST:
            raise NotFound("Key not found")
        with told():
            await self._acting.change(RemoveKey(user, request.body.public_key), by=caller(request))
        return KeyDone("SSH key deleted" if user in (ROOT, self._primary) else "SSH key successfully deleted")

    async def _add(self, user: str, request: Request[KeyBody]) -> None:
        try:
            read_public_key(request.body.public_key)
        except Rule as rule:
            raise BadRequest(str(rule)) from rule
        with told():
            await self._acting.change(AddKey(user, request.body.public_key), by=caller(request))


def _user_of(request: Request[Any]) -> str:
    name = request.params["username"]
    if not 0 < len(name) <= LONGEST_NAME:
        raise NotFound("User not found")
    return name


def ssh_routes(handlers: SshHandlers) -> Sequence[Route]:
    """The operations."""
    of_user = "/services/ssh/keys/{username}"
    return [
        *(
            Route(
                method,
                path,
                handler,
                api=HOST_API,
                access=ONLY_DEVICES,
                body=body,
                returns=returns,
                deadline=CHANGE_SECONDS,
            )
            for method, path, handler, body, returns in (
                ("GET", "/services/ssh", handlers.settings, None, SshAnswer),
                ("PUT", "/services/ssh", handlers.change, SshChange, str),
                ("POST", "/services/ssh/enable", handlers.enable, None, Enabled),
                ("GET", of_user, handlers.keys, None, list[str]),
                ("DELETE", of_user, handlers.remove, KeyBody, KeyDone),
            )
        ),
        *(
            Route(
                method,
                path,
                handler,
                api=HOST_API,
                access=ONLY_DEVICES,
                body=KeyBody,
                returns=returns,
                status=201,
                errors=(409,),
                deadline=CHANGE_SECONDS,
            )
            for method, path, handler, returns in (
                ("PUT", "/services/ssh/key/send", handlers.add_for_root, Enabled),
                ("POST", of_user, handlers.add, KeyDone),
            )
        ),
    ]

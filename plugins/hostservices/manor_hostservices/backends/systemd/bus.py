"""The system's D-Bus: calls, properties and signals, on a connection of one task."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from typing import Any

import trio
from jeepney import (
    AuthenticationError,
    DBusAddress,
    DBusErrorResponse,
    HeaderFields,
    MatchRule,
    Message,
    MessageType,
    Properties,
    message_bus,
    new_method_call,
)
from jeepney.auth import BEGIN, Authenticator
from jeepney.io.trio import DBusConnection
from jeepney.wrappers import unwrap_msg

from manor_hostservices.places import Places
from manor_hostservices.refusals import Conflicting, Failed, HostRefusal, Invalid, Missing, NotHere

SECONDS = 90.0
"""How long an answer may take; reloading all units of a busy host takes some."""

_SOCKET = "/run/dbus/system_bus_socket"
_NO_BUS = "This host has no D-Bus to ask systemd by"


class Line:
    """A connection to the bus; one task at a time talks on it.

    jeepney's router gives every connection a nursery, which would wrap each refusal into a group. One task needs none:
    it reads until its answer comes, and keeps the signals that come before.
    """

    def __init__(self, connection: DBusConnection) -> None:
        self._connection = connection
        self._listened: set[tuple[str, str]] = set()
        self._signals: list[Message] = []

    async def call(self, address: DBusAddress, method: str, signature: str | None = None, body: Any = ()) -> Any:
        """Call a method and give what it answers: a tuple.

        Raises:
            HostRefusal: It answers with an error, or not at all.
        """
        return await self._ask(new_method_call(address, method, signature, body))

    async def get(self, address: DBusAddress, name: str) -> Any:
        """Read a property of the address's interface."""
        [(_, value)] = await self._ask(Properties(address).get(name))
        return value

    async def listen(self, address: DBusAddress, member: str) -> None:
        """Have a signal of the address sent here, from now on."""
        self._listened.add((address.interface, member))
        rule = MatchRule(
            type="signal", sender=address.bus_name, path=address.object_path, interface=address.interface, member=member
        )
        await self._ask(message_bus.AddMatch(rule))

    async def signal(self, is_meant: Callable[[tuple[Any, ...]], bool]) -> tuple[Any, ...]:
        """Wait for a signal that is listened to; it may have come already.

        Args:
            is_meant: Says by a signal's body whether it is the one.
        """
        while True:
            for message in self._signals:
                if is_meant(message.body):
                    self._signals.remove(message)
                    body: tuple[Any, ...] = message.body
                    return body
            self._keep(await self._receive())

    async def _ask(self, message: Message) -> Any:
        serial = next(self._connection.outgoing_serial)
        with _in_time():
            try:
                await self._connection.send(message, serial=serial)
            except trio.BrokenResourceError as error:
                raise NotHere("D-Bus went away") from error
            while True:
                answer = await self._receive()
                if answer.header.fields.get(HeaderFields.reply_serial) == serial:
                    break
                self._keep(answer)
        try:
            return unwrap_msg(answer)
        except DBusErrorResponse as error:
            raise _refusal(error) from error

    async def _receive(self) -> Message:
        try:
            return await self._connection.receive()
        except (trio.BrokenResourceError, trio.EndOfChannel) as error:
            raise NotHere("D-Bus went away") from error

    def _keep(self, message: Message) -> None:
        # The bus has signals of its own, which nobody asked for.
        fields = message.header.fields
        told = fields.get(HeaderFields.interface), fields.get(HeaderFields.member)
        if message.header.message_type is MessageType.signal and told in self._listened:
            self._signals.append(message)


class Bus:
    """The host's system bus.

    Args:
        places: Where the host's files are.

    Attributes:
        places: The same.
    """

    def __init__(self, places: Places) -> None:
        self.places = places
        self._path = str(places.at(_SOCKET))

    @asynccontextmanager
    async def line(self) -> AsyncIterator[Line]:
        """Connect.

        Raises:
            NotHere: There is no bus.
        """
        try:
            stream = await trio.open_unix_socket(self._path)
        except OSError as error:
            raise NotHere(_NO_BUS) from error
        async with stream:
            with _in_time():
                connection = await _let_in(stream)
            line = Line(connection)
            await line.call(message_bus, "Hello")
            yield line


async def _let_in(stream: trio.SocketStream) -> DBusConnection:
    """Say who we are, as the D-Bus specification's "Authentication Protocol" has it.

    jeepney's own way leaves the socket open when it fails, and asks for ever when nobody is there any more.
    """
    dialogue = Authenticator(inc_null_byte=False)
    try:
        await stream.send_all(b"\0")
        for line in dialogue:
            await stream.send_all(line)
            answer = await stream.receive_some()
            if not answer:
                raise NotHere(_NO_BUS)
            dialogue.feed(answer)
        await stream.send_all(BEGIN)
    except (AuthenticationError, trio.BrokenResourceError) as error:
        raise NotHere(_NO_BUS) from error
    return DBusConnection(stream.socket)


@contextmanager
def _in_time() -> Iterator[None]:
    try:
        with trio.fail_after(SECONDS):
            yield
    except trio.TooSlowError as error:
        raise Failed(f"The host did not answer within {SECONDS:.0f} seconds") from error


def _refusal(error: DBusErrorResponse) -> HostRefusal:
    """What an error means: those of the D-Bus specification, and of org.freedesktop.systemd1(5)."""
    text = error.data[0] if error.data and isinstance(error.data[0], str) else error.name
    match error.name.rpartition(".")[2]:
        case "AccessDenied" | "InteractiveAuthorizationRequired":
            return NotHere(f"Only root may do this: {text}")
        case "ServiceUnknown" | "NameHasNoOwner" | "UnknownObject" | "UnknownInterface":
            return NotHere(f"This host cannot do this: {text}")
        case "NoSuchUnit":
            return Missing(text)
        case "UnitMasked":
            return Conflicting(text)
        case "InvalidArgs":
            return Invalid(text)
    return Failed(text)

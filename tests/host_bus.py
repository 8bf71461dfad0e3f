"""A D-Bus of ours, at which a test answers in systemd's place."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import trio
from jeepney import HeaderFields, Message, new_method_return
from jeepney.low_level import Parser

from manor_hostservices.backends.systemd.bus import Bus
from manor_hostservices.places import Places

SOCKET = "run/dbus/system_bus_socket"

Say = Callable[[Message], Awaitable[None]]
Answer = Callable[[Message, Say], Awaitable[None]]


@asynccontextmanager
async def answering(root: Path, serve: Callable[[trio.SocketStream], Awaitable[None]]) -> AsyncIterator[Bus]:
    """A bus of ours at its place below a folder."""
    path = root / SOCKET
    path.parent.mkdir(parents=True)
    sock = trio.socket.socket(trio.socket.AF_UNIX)
    await sock.bind(str(path))
    sock.listen()
    async with trio.SocketListener(sock) as listener, trio.open_nursery() as nursery:
        nursery.start_soon(trio.serve_listeners, serve, [listener])
        yield Bus(Places(root))
        nursery.cancel_scope.cancel()


def speaking(answer: Answer) -> Callable[[trio.SocketStream], Awaitable[None]]:
    """Shakes hands as a bus does, and has calls answered; the hello it answers itself."""

    async def serve(stream: trio.SocketStream) -> None:
        serial = 0

        async def say(message: Message) -> None:
            nonlocal serial
            serial += 1
            await stream.send_all(message.serialise(serial))

        received = b""
        while not received.endswith(b"BEGIN\r\n"):
            received += await stream.receive_some()
            if received.endswith(b"\r\n") and b"BEGIN" not in received:
                await stream.send_all(b"OK 0123456789abcdef0123456789abcdef\r\n")
        parser = Parser()
        async for chunk in stream:
            parser.add_data(chunk)
            while (message := parser.get_next_message()) is not None:
                if message.header.fields[HeaderFields.member] == "Hello":
                    await say(new_method_return(message, "s", (":1.7",)))
                else:
                    await answer(message, say)

    return serve


def member(message: Message) -> str:
    """The method that a call is of."""
    return str(message.header.fields[HeaderFields.member])

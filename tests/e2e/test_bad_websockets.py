"""WebSocket clients that get it wrong, or do not care."""

from __future__ import annotations

import struct

import pytest
import trio
from wsproto.events import BytesMessage, CloseConnection, TextMessage

from tests.e2e.clients import Wire, ask, connected, subscribed
from tests.e2e.daemon import DEADLINE, Daemon
from tests.websocket_bytes import CLOSE, PING, PONG, TEXT, closing, frame, handshake

LONGEST = 4096


async def opened(wire: Wire) -> None:
    await wire.send(handshake())
    assert (await wire.head()).status == 101
    assert await server_frame(wire) == TEXT, "the ready frame"


async def server_frame(wire: Wire) -> int:
    """Read one frame of the server's; returns its opcode."""
    opcode, _ = await server_content(wire)
    return opcode


async def server_content(wire: Wire) -> tuple[int, bytes]:
    first, second = await wire.exactly(2)
    assert not second & 0x80, "a server does not mask"
    size = second & 0x7F
    if size == 126:
        (size,) = struct.unpack("!H", await wire.exactly(2))
    elif size == 127:
        (size,) = struct.unpack("!Q", await wire.exactly(8))
    return first & 0x0F, await wire.exactly(size)


async def close_code(wire: Wire) -> int:
    """Read up to the server's close frame; returns its code."""
    while True:
        opcode, content = await server_content(wire)
        if opcode == CLOSE:
            code: int = struct.unpack("!H", content[:2])[0]
            return code


@pytest.fixture(autouse=True)
async def _nobody_else_noticed(shared: Daemon) -> None:
    assert (await ask(shared.port, "GET", "/livez")).status == 200
    assert "Traceback" not in shared.log.text
    assert '"exception"' not in shared.log.text


REFUSED = {
    "no key": (handshake(Sec_WebSocket_Key=None), 400),
    "a short key": (handshake(Sec_WebSocket_Key="short"), 400),
    "an old version": (handshake(Sec_WebSocket_Version="8"), 426),
    "no version": (handshake(Sec_WebSocket_Version=None), 426),
    "no upgrade": (handshake(Upgrade=None, Connection=None), 426),
    "an upgrade that is not asked for": (handshake(Connection="keep-alive"), 426),
    "a page of somebody else's": (handshake(Origin="https://evil.example"), 403),
    "a page without an origin": (handshake(Origin="null"), 403),
    "a credential nobody issued": (handshake(Authorization="Bearer nonsense"), 401),
    "a body": (handshake(Content_Length="5") + b"Hello", 400),
    "a place that is none": (handshake(Last_Event_ID="nonsense"), 422),
}


@pytest.mark.parametrize(("sent", "status"), REFUSED.values(), ids=REFUSED)
async def test_a_handshake_that_cannot_be_taken_is_refused_with_its_status(
    shared: Daemon, sent: bytes, status: int
) -> None:
    async with connected(shared.port) as wire:
        await wire.send(sent)
        assert (await wire.head()).status == status


async def test_a_page_of_our_own_opens_one(shared: Daemon) -> None:
    async with connected(shared.port) as wire:
        await wire.send(handshake(Origin="http://manor.test"))
        assert (await wire.head()).status == 101


async def test_compression_is_not_agreed_to(shared: Daemon) -> None:
    async with connected(shared.port) as wire:
        await wire.send(handshake(Sec_WebSocket_Extensions="permessage-deflate"))
        assert "sec-websocket-extensions" not in (await wire.head()).headers


CLOSED = {
    "an unmasked frame": (frame(b"Hello", is_masked=False), 1002),
    "a frame over the limit": (frame(b"x" * (LONGEST + 1)), 1009),
    "parts over the limit": (frame(b"x" * 4000, is_final=False) + frame(b"x" * 97, opcode=0), 1009),
    "a reserved bit": (frame(b"Hello", bits=0x40), 1002),
    "an opcode nobody knows": (frame(b"Hello", opcode=3), 1002),
    "a continuation of nothing": (frame(b"Hello", opcode=0), 1002),
    "a ping in parts": (frame(b"", opcode=PING, is_final=False), 1002),
    "a ping that is too long": (frame(b"x" * 126, opcode=PING), 1002),
    "text that is no UTF-8": (frame(b"\xff\xfe"), 1007),
    "a close code nobody may send": (closing(1005), 1002),
    "half a close code": (frame(b"\x03", opcode=CLOSE), 1002),
    "a goodbye": (closing(1000), 1000),
}


@pytest.mark.parametrize(("sent", "code"), CLOSED.values(), ids=CLOSED)
async def test_a_frame_that_cannot_be_taken_is_answered_with_a_close_frame(
    shared: Daemon, sent: bytes, code: int
) -> None:
    async with connected(shared.port) as wire:
        await opened(wire)
        await wire.send(sent)
        assert await close_code(wire) == code


async def test_what_a_client_says_is_ignored_up_to_the_limit(shared: Daemon) -> None:
    async with subscribed(shared.port, "welcome") as socket:
        await socket.send(TextMessage(data="x" * LONGEST))
        await socket.send(BytesMessage(data=b"\xff" * LONGEST))
        await ask(shared.port, "POST", "/welcome", "still here")

        assert [message["message"] for message in await socket.messages(1)] == ["still here"]


async def test_a_ping_is_answered_between_messages(shared: Daemon) -> None:
    async with connected(shared.port) as wire:
        await opened(wire)
        await wire.send(frame(b"are you there", opcode=PING))
        assert await server_content(wire) == (PONG, b"are you there")


async def test_clients_that_vanish_or_half_close_are_forgotten(shared: Daemon) -> None:
    async with subscribed(shared.port, "attic") as watching:
        async with connected(shared.port) as vanished, connected(shared.port) as half_open:
            for wire in (vanished, half_open):
                await wire.send(handshake("/attic/ws"))
                assert (await wire.head()).status == 101
                assert await server_frame(wire) == TEXT
            assert (await ask(shared.port, "GET", "/api/topics/attic")).json["connection_count"] == 3
            await half_open.stream.send_eof()
            await half_open.rest()

        await ask(shared.port, "POST", "/attic", "to whoever is left")
        assert len(await watching.messages(1)) == 1
        with trio.fail_after(DEADLINE):
            while (await ask(shared.port, "GET", "/api/topics/attic")).json["connection_count"] > 1:
                pass


async def test_a_client_that_closes_while_messages_come_gets_its_goodbye(shared: Daemon) -> None:
    async with subscribed(shared.port, "attic") as socket:
        await ask(shared.port, "POST", "/attic", "one")
        await socket.send(CloseConnection(code=1000))
        messages, code = await socket.to_the_end()

    # What it did not wait for it may miss.
    assert code == 1000
    assert [message["message"] for message in messages] in (["one"], [])

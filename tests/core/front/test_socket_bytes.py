"""WebSockets and event streams as bytes: split anywhere, early, late, and read by somebody who hardly reads."""

from __future__ import annotations

import os
import re
import socket as stdlib_socket

import pytest
import trio
import trio.testing

from manor.live import Entry, LiveService
from manor.routing import Conversation, Later, Live, Reply, Upgrade, WebSocket
from tests.core.web.serving import PATIENCE, Client, Running, Serve, route
from tests.websocket_bytes import BINARY, CLOSE, PING, PONG, TEXT, closing, frame, handshake, server_frames

MANY = {"connections_per_address": 0}
OPENING = handshake("/talk", host="test")
TALK = (
    frame(b"he", is_final=False)
    + frame(b"there?", opcode=PING)
    + frame("ll\u00f6".encode(), opcode=0)
    + frame(b"\x00" * 200, opcode=BINARY)
)
HEARD = [
    (PONG, b"there?"),
    (TEXT, "hell\u00f6".encode()),
    (BINARY, b"\x00" * 200),
]
LENGTH = 2 + 6 + 2 + 6 + 4 + 200
"""Of those as bytes."""

TINY = 4096

settled = trio.testing.wait_all_tasks_blocked


async def repeat(conversation: Conversation) -> None:
    while True:
        await conversation.send(await conversation.receive())


talking = route("GET", "/talk", lambda request: WebSocket(repeat), websocket=Upgrade.ONLY)


async def opened(client: Client) -> Client:
    await client.send(OPENING)
    assert (await client.head()).status == 101
    return client


async def connected(running: Running, *, receive_buffer: int) -> Client:
    """A client whose own buffer holds so little; 0 for as much as ever."""
    host, _, port = running.address.rpartition(":")
    socket = trio.socket.socket()
    if receive_buffer:
        socket.setsockopt(stdlib_socket.SOL_SOCKET, stdlib_socket.SO_RCVBUF, receive_buffer)
    await socket.connect((host, int(port)))
    client = Client(trio.SocketStream(socket))
    running.clients.append(client)
    return client


async def heard(client: Client) -> list[tuple[int, bytes]]:
    """So many frames as are expected, once all of them are here."""
    return list(server_frames(await client.exactly(LENGTH)))


# --- Splits --------------------------------------------------------------------------------------------------------


async def test_a_conversation_is_the_same_wherever_its_frames_are_split(serve: Serve) -> None:
    running = await serve(talking, limits=MANY)
    clients = [await opened(await running.connect()) for _ in TALK]

    for place, client in enumerate(clients):
        await client.send(TALK[:place])
    await settled()
    for place, client in enumerate(clients):
        await client.send(TALK[place:])
    told = [await heard(client) for client in clients]

    assert [place for place, each in enumerate(told) if each != HEARD] == []


async def test_a_conversation_is_the_same_byte_by_byte_from_its_handshake_on(serve: Serve) -> None:
    running = await serve(talking)
    client = await running.connect()

    for place in range(len(OPENING)):
        await client.send(OPENING[place : place + 1])
        await settled()
    head = await client.head()
    for place in range(len(TALK)):
        await client.send(TALK[place : place + 1])
        await settled()

    assert head.status == 101
    assert await heard(client) == HEARD


async def test_a_client_that_says_goodbye_first_waits_for_nothing(serve: Serve) -> None:
    running = await serve(talking, connection={"linger": 60})
    client = await opened(await running.connect())

    await client.send(closing(1000))

    assert list(server_frames(await client.rest())) == [(CLOSE, (1000).to_bytes(2, "big"))]


@pytest.mark.parametrize("sent", [frame(b"x", is_masked=False), frame(b"\xff"), frame(b"x", opcode=3)])
async def test_a_client_that_is_refused_and_says_goodbye_waits_for_nothing(serve: Serve, sent: bytes) -> None:
    running = await serve(talking, connection={"linger": 60})
    client = await opened(await running.connect())

    await client.send(sent)
    assert await client.exactly(1) == b"\x88"
    await client.send(closing(1000))

    await client.rest()


async def test_a_client_that_pings_and_reads_nothing_is_read_no_further(serve: Serve) -> None:
    running = await serve(talking)
    client = await opened(await connected(running, receive_buffer=TINY))
    pings = frame(b"x" * 125, opcode=PING) * 500

    sent = stuck = 0
    while stuck < 2 and sent < 8_000_000:
        try:
            sent += os.write(client.stream.socket.fileno(), pings[sent % len(pings) :])
            stuck = 0
        except BlockingIOError:
            stuck += 1
            await settled()

    assert sent < 8_000_000, "what is not read is held in memory"


# --- A request that waits, and half of the next one ----------------------------------------------------------------


async def test_half_a_head_ends_no_request_before_it(serve: Serve) -> None:
    answer = Later()
    running = await serve(
        route("POST", "/later", lambda request: answer.map(lambda text: Reply(text))), connection={"header": 0.1}
    )
    client = await running.connect()

    await client.send("POST /later HTTP/1.1\r\nHost: test\r\nContent-Length: 0\r\n\r\nGET /hel")
    # Longer than a head may take, which is what this is about.
    with trio.move_on_after(0.5):
        await client.more()
    answer.set(b"stored")

    told = await client.answer()
    assert (told.status, told.body) == (200, b"stored")


# --- A laggard -----------------------------------------------------------------------------------------------------

MESSAGES = 2_000
SIZE = 8_000
NUMBER = re.compile(rb'"number":(\d+)')


@pytest.fixture
async def live(nursery: trio.Nursery) -> LiveService:
    service = LiveService()
    await nursery.start(service.run)
    return service


async def listening(running: Running, kind: str, *, receive_buffer: int = 0) -> Client:
    client = await connected(running, receive_buffer=receive_buffer)
    path = "/hall"
    await client.send(
        handshake(path, host="test") if kind == "websocket" else f"GET {path} HTTP/1.1\r\nHost: test\r\n\r\n"
    )
    await client.head()
    return client


@pytest.mark.parametrize("kind", ["events", "websocket"])
async def test_a_laggard_has_the_beginning_without_a_gap_and_costs_nobody_else_a_message(
    serve: Serve, live: LiveService, kind: str
) -> None:
    hall = live.channel("hall")
    hearing = route("GET", "/hall", lambda request: Live(live.feed([hall])), websocket=Upgrade.YES)
    running = await serve(hearing, connection={"keep_alive": 0.1, "linger": 0.1})
    good = await listening(running, kind)
    laggard = await listening(running, kind, receive_buffer=TINY)
    filling = "x" * SIZE

    all_heard: list[int] = []
    for number in range(1, MESSAGES + 1):
        hall.append(Entry(number, "said", b'{"number":%d,"text":"%s"}' % (number, filling.encode())))
        if number % 100 == 0:
            all_heard += map(int, NUMBER.findall(await good.until(b'"number":%d,' % number)))
    with trio.fail_after(PATIENCE):
        said = await laggard.rest()
    got = list(map(int, NUMBER.findall(said)))

    assert all_heard == list(range(1, MESSAGES + 1))
    assert got == list(range(1, len(got) + 1))
    assert len(got) < MESSAGES, "it was closed"

"""A WebSocket is the same behind every door: its handshake, its refusals, each of its frames and its end."""

from __future__ import annotations

import contextlib
import struct
from dataclasses import dataclass

import trio

from tests.contracts.two_doors import PATIENCE, Door, Reader, ask, case, differences, get, raw
from tests.contracts.two_doors_serving import Doors
from tests.contracts.two_doors_serving import certificate as certificate
from tests.contracts.two_doors_serving import doors as doors
from tests.contracts.two_doors_serving import is_fronted as is_fronted
from tests.contracts.two_doors_serving import serve as serve
from tests.websocket_bytes import BINARY, CLOSE, KEY, PING, PONG, closing, frame, handshake, server_frames

NAMES = {1: "text", BINARY: "binary", PING: "ping", PONG: "pong"}
UPGRADE = ("Connection: Upgrade", "Upgrade: websocket", "Sec-WebSocket-Version: 13", f"Sec-WebSocket-Key: {KEY}")
BYE = closing(1000)


@dataclass(frozen=True)
class Talk:
    """A WebSocket from its handshake to its end.

    Args:
        name: Says what is special about it.
        says: The kinds of the server's frames, and the code of its close frame: `text pong 1000`.
        sent: Frames; each piece is sent once as many frames as stand beside it have come in all.
        path: Where it is opened.
        headers: Of the handshake.
    """

    name: str
    says: str
    sent: tuple[tuple[int, bytes], ...]
    path: str = "/talk"
    headers: tuple[str, ...] = ()


def talk(
    name: str, says: str, *sent: bytes | tuple[int, bytes], path: str = "/talk", headers: tuple[str, ...] = ()
) -> Talk:
    """A row of a table; a piece without a number is sent at once."""
    return Talk(name, says, tuple(each if isinstance(each, tuple) else (0, each) for each in sent), path, headers)


TALKS = [
    talk("text", "text 1000", frame(b"hello"), (1, BYE)),
    talk("bytes", "binary 1000", frame(b"\x00\xff", opcode=BINARY), (1, BYE)),
    talk("nothing", "text binary 1000", frame(b""), (1, frame(b"", opcode=BINARY)), (2, BYE)),
    talk("letters of other alphabets", "text 1000", frame("Zażółć ☃".encode()), (1, BYE)),
    talk("one after the other", "text text text 1000", frame(b"a"), (1, frame(b"b")), (2, frame(b"c")), (3, BYE)),
    talk("several in one piece", "text text text 1000", frame(b"a") + frame(b"b") + frame(b"c"), (3, BYE)),
    talk("sent without waiting", "text 1000", frame(b"now"), (1, BYE)),
    talk("a long answer", "text 1000", frame(b"large"), (1, BYE)),
    talk("in parts", "text 1000", frame(b"he", is_final=False) + frame(b"llo", opcode=0), (1, BYE)),
    talk(
        "in parts, with a ping between them",
        "pong text 1000",
        frame(b"he", is_final=False) + frame(b"there?", opcode=PING),
        (1, frame(b"", opcode=0, is_final=False) + frame(b"llo", opcode=0)),
        (2, BYE),
    ),
    talk("a letter in two parts", "text 1000", frame(b"\xc3", is_final=False) + frame(b"\xa9", opcode=0), (1, BYE)),
    talk("a ping", "pong 1000", frame(b"there?", opcode=PING), (1, BYE)),
    talk("the longest ping", "pong 1000", frame(b"x" * 125, opcode=PING), (1, BYE)),
    talk("a pong that nobody asked for", "text 1000", frame(b"", opcode=PONG) + frame(b"hello"), (1, BYE)),
    talk("a message at the limit", "text 1000", frame(b"x" * 100), (1, BYE)),
    talk("a message one over", "1009", frame(b"x" * 101)),
    talk("bytes one over", "1009", frame(b"x" * 101, opcode=BINARY)),
    talk("parts one over", "1009", frame(b"x" * 60, is_final=False) + frame(b"x" * 41, opcode=0)),
    talk("a server that leaves", "1000", frame(b"leave")),
    talk("a server that says why", "4000", frame(b"close")),
    talk("a server that breaks", "1011", frame(b"break")),
    talk("a goodbye", "1000", BYE),
    talk("a goodbye of its own", "4321", closing(4321, "I am gone")),
    talk("a goodbye without a code", "1005", frame(b"", opcode=CLOSE)),
    talk("a message behind a goodbye", "1000", BYE + frame(b"hello")),
    talk("an unmasked frame", "1002", frame(b"hello", is_masked=False)),
    talk("a reserved bit", "1002", frame(b"hello", bits=0x40)),
    talk("an opcode nobody knows", "1002", frame(b"hello", opcode=3)),
    talk("a control frame nobody knows", "1002", frame(b"hello", opcode=11)),
    talk("a continuation of nothing", "1002", frame(b"hello", opcode=0)),
    talk("a message within a message", "1002", frame(b"he", is_final=False) + frame(b"llo")),
    talk("a ping in parts", "1002", frame(b"", opcode=PING, is_final=False)),
    talk("a ping that is too long", "1002", frame(b"x" * 126, opcode=PING)),
    talk("text that is no UTF-8", "1007", frame(b"\xff\xfe")),
    talk("half a letter", "1007", frame(b"\xc3")),
    talk("a surrogate", "1007", frame(b"\xed\xa0\x80")),
    talk("a reason that is no UTF-8", "1007", frame(b"\x03\xe8\xff", opcode=CLOSE)),
    talk("a code nobody may send", "1002", closing(1006)),
    talk("a code nobody has", "1002", closing(999)),
    talk("half a code", "1002", frame(b"\x03", opcode=CLOSE)),
    talk("one of our protocols", "1000", BYE, headers=("Sec-WebSocket-Protocol: older, old, new",)),
    talk("none of our protocols", "1000", BYE, headers=("Sec-WebSocket-Protocol: other",)),
    talk("compression", "text 1000", frame(b"a"), (1, BYE), headers=("Sec-WebSocket-Extensions: permessage-deflate",)),
    talk("a page that is let in", "1000", BYE, headers=("Origin: https://app.example",)),
    talk("a page of our own", "1000", BYE, headers=("Origin: https://test",)),
    talk("a subscription that ends", "text text text 4001", path="/song"),
    talk("a subscription that breaks", "text 1011", path="/fright"),
    talk("a subscription that hears", "text text 1000", frame(b"a"), (1, frame(b"b")), (2, BYE), path="/listen"),
    talk("a subscription that ends as it is told", "4002", frame(b"enough"), path="/listen"),
    talk("a subscription whose hearing breaks", "1011", frame(b"break"), path="/listen"),
    talk("a subscription that hears bytes", "1003", frame(b"a", opcode=BINARY), path="/listen"),
    talk("a subscription that hears too much", "1009", frame(b"x" * 201), path="/listen"),
    talk("where a plain request is served too", "text 1000", frame(b"a"), (1, BYE), path="/maybe-talk"),
]  # fmt: skip

HANDSHAKES = [
    case("no WebSocket", "400 closed", get("/hello", *UPGRADE)),
    case("no route", "404 closed", get("/nowhere", *UPGRADE)),
    case("a route at once", "400 closed", get("/quick/cookies", *UPGRADE)),
    case("a refusal", "400 closed", get("/refuses", *UPGRADE)),
    case("a page that is not let in", "403 closed", get("/talk", "Origin: https://evil.example", *UPGRADE)),
    case("a page of no origin", "403 closed", get("/talk", "Origin: null", *UPGRADE)),
    case("a credential nobody asked for", "401 closed", get("/talk", "Authorization: Bearer nonsense", *UPGRADE)),
    case("no upgrade", "426 kept", get("/talk")),
    case("HEAD without an upgrade", "426 kept", ask("HEAD", "/talk")),
    case("no upgrade where none is needed", "204 kept", get("/maybe-talk")),
    case("an upgrade that is not asked for", "426 kept", get("/talk", "Connection: keep-alive", *UPGRADE[1:])),
    case("an old version", "426 closed", raw(handshake("/talk", Sec_WebSocket_Version="8"))),
    case("no version", "426 closed", raw(handshake("/talk", Sec_WebSocket_Version=None))),
    case("no key", "400 closed", raw(handshake("/talk", Sec_WebSocket_Key=None))),
    case("a short key", "400 closed", raw(handshake("/talk", Sec_WebSocket_Key="short"))),
    case("a body", "400 closed", raw(handshake("/talk", Content_Length="5") + b"hello")),
    case("a body of nothing", "400 closed", get("/hello", "Content-Length: 0", *UPGRADE)),
    case("a POST", "405 kept", ask("POST", "/talk", *UPGRADE)),
    case("HTTP/1.0", "400 closed", get("/talk", *UPGRADE, version="1.0")),
    case("behind another request", "200 404 closed", get("/hello"), get("/nowhere", *UPGRADE)),
]


async def told(door: Door, asked: Talk) -> tuple[str, tuple[tuple[str, str], ...], list[tuple[int, bytes]]]:
    """The handshake's answer and all frames up to the connection's end."""
    with trio.fail_after(PATIENCE):
        stream = await door.connect()
        async with stream:
            reader = Reader(stream)
            await stream.send_all(get(asked.path, *UPGRADE, *asked.headers).data)
            line, headers = await reader.head()
            frames: list[tuple[int, bytes]] = []
            for wanted, piece in asked.sent:
                while len(frames) < wanted:
                    frames += server_frames(await reader.server_frame())
                await stream.send_all(piece)
            while not frames or frames[-1][0] != CLOSE:
                frames += server_frames(await reader.server_frame())
            with contextlib.suppress(trio.BrokenResourceError):
                await stream.send_all(BYE)
            assert await reader.rest() == b"", "nothing comes behind a close frame"
            return line, headers, frames


def summary(frames: list[tuple[int, bytes]]) -> str:
    words = [NAMES[opcode] for opcode, _ in frames[:-1]]
    _, content = frames[-1]
    return " ".join([*words, str(struct.unpack("!H", content[:2])[0] if content else 1005)])


async def test_every_door_speaks_websocket_in_the_same_frames(doors: Doors) -> None:
    opened = await doors.open()

    found = []
    for asked in TALKS:
        all_told = [await told(door, asked) for door in opened]
        found += [
            f"{asked.name}: {door.name} says {summary(each[2])}, expected {asked.says}"
            for door, each in zip(opened, all_told, strict=True)
            if summary(each[2]) != asked.says
        ]
        found += [
            f"{asked.name}\n  {door.name}: {each}\n  {opened[-1].name}: {all_told[-1]}"
            for door, each in zip(opened[:-1], all_told[:-1], strict=True)
            if each != all_told[-1]
        ]
    await doors.close()

    assert not found, "\n".join(found)[:20_000]
    assert doors.counted[0] == doors.counted[1] == doors.counted[2]


async def test_every_door_refuses_the_same_handshakes_in_the_same_words(doors: Doors) -> None:
    opened = await doors.open()

    found = [difference for each in HANDSHAKES for difference in await differences(each, opened)]
    await doors.close()

    assert not found, "\n".join(found)
    assert doors.counted[0] == doors.counted[1] == doors.counted[2]


async def test_every_door_refuses_frames_that_come_with_their_handshake(doors: Doors) -> None:
    early = case("frames before it is answered", "400 closed", raw(handshake("/talk", host="test") + frame(b"hello")))

    told = [await door.tell(early) for door in await doors.open()]

    assert [each.summary for each in told] == [early.says] * len(told)
    # Their other headers differ: one door knows the route by then, the other does not.
    assert {each.answers[0].body for each in told} == {
        b'{"detail":"A WebSocket\'s frames came before its handshake was answered"}'
    }

"""The same bytes through several doors, and what each of them says: for tests that compare.

A case is a list of parts. Each part is written in one piece, and its answers are read before the next one is: so a body
can wait for its `100 Continue`, and requests can follow each other on a connection that is kept.
"""

from __future__ import annotations

import contextlib
import re
import ssl
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import trio

PATIENCE = 10
CERTIFICATES = Path(__file__).parents[1] / "core" / "web" / "certificates"
PROBE_PATH = "/probe"
PROBE = b"GET /probe HTTP/1.1\r\nHost: test\r\nConnection: close\r\n\r\n"
PROBED = b"still here"

_DATE = re.compile(r"(Mon|Tue|Wed|Thu|Fri|Sat|Sun), \d\d [A-Z][a-z]{2} \d{4} \d\d:\d\d:\d\d GMT")
_RANDOM = re.compile(rb"(?<![\w-])(?=nonce-|[\w-]*\d)[\w-]{20,}(?![\w-])")
"""Ids, nonces and secrets: long words with a digit in them."""


# --- Requests ------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Part:
    """Bytes that are written in one piece.

    Args:
        data: The bytes.
        methods: Of the requests in it that are answered, in order: an answer to HEAD has no body.
    """

    data: bytes
    methods: tuple[str, ...]


@dataclass(frozen=True)
class Case:
    """What is asked, and how today's door answers.

    Args:
        name: Says what is special about it.
        says: The statuses of all answers, and what becomes of the connection: `100 200 kept`. `either` stands for an
            answer to a request whose body was not wanted: a door may end the connection or go on with what follows.
        parts: See the module.
    """

    name: str
    says: str
    parts: tuple[Part, ...]


def case(name: str, says: str, *parts: Part) -> Case:
    """A row of a table."""
    return Case(name, says, parts)


def ask(method: str, path: str, *headers: str, body: bytes | None = None, version: str = "1.1") -> Part:
    """A request, with its length when it has a body; no Host in HTTP/1.0."""
    host = ["Host: test"] if version == "1.1" else []
    length = [] if body is None else [f"Content-Length: {len(body)}"]
    lines = [f"{method} {path} HTTP/{version}", *host, *length, *headers, "", ""]
    return Part("\r\n".join(lines).encode("latin-1") + (body or b""), (method,))


def get(path: str, *headers: str, version: str = "1.1") -> Part:
    """A request without a body."""
    return ask("GET", path, *headers, version=version)


def post(path: str, body: bytes = b"", *headers: str) -> Part:
    """A request with a body and its length."""
    return ask("POST", path, *headers, body=body)


def chunked(path: str, *pieces: bytes, end: bytes = b"0\r\n\r\n", headers: Sequence[str] = ()) -> Part:
    """A request with a body in chunks."""
    head = ask("POST", path, "Transfer-Encoding: chunked", *headers)
    return replace(head, data=head.data + b"".join(b"%x\r\n%b\r\n" % (len(each), each) for each in pieces) + end)


def raw(data: bytes, *methods: str) -> Part:
    """Bytes as they are."""
    return Part(data, methods or ("GET",))


def pipelined(*parts: Part) -> Part:
    """Several requests in one piece."""
    return Part(b"".join(part.data for part in parts), tuple(method for part in parts for method in part.methods))


# --- Answers -------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Said:
    """One answer.

    Args:
        line: Its status line.
        headers: Sorted; names in lower case, and what differs from time to time made equal.
        body: Without its framing.
        is_whole: Whether its framing came to its end.
    """

    line: str
    headers: tuple[tuple[str, str], ...]
    body: bytes
    is_whole: bool = True

    @property
    def status(self) -> int:
        """Of the answer; 0 where none came."""
        return int(self.line.split(" ")[1]) if self.line else 0

    @property
    def closes(self) -> bool:
        """Whether it says that it is the connection's last."""
        tokens = [token.strip() for name, value in self.headers if name == "connection" for token in value.split(",")]
        return not self.is_whole or "close" in tokens


@dataclass(frozen=True)
class Told:
    """What a case was answered with.

    Args:
        answers: All of them, `100 Continue` too.
        afterwards: `kept`, `closed`, or what went wrong after the last answer.
    """

    answers: tuple[Said, ...]
    afterwards: str

    @property
    def summary(self) -> str:
        """As in `Case.says`."""
        return " ".join(
            [*(f"{each.status}{'' if each.is_whole else '(cut)'}" for each in self.answers), self.afterwards]
        )


class _Ended(Exception):
    """The connection did."""


class Reader:
    """Reads answers as RFC 9112 frames them.

    Args:
        stream: The connection.
    """

    def __init__(self, stream: trio.abc.Stream) -> None:
        self.stream = stream
        self.token = ""
        """The last `Token` header: a sign-in's, which is needed as it came."""
        self._buffer = bytearray()

    async def answer(self, method: str) -> Said:
        """The next answer, to a request with that method; one without a line where the connection ended before it."""
        try:
            line, headers = await self.head()
        except _Ended:
            return Said("", (), bytes(self._buffer), is_whole=False)
        body = bytearray()
        try:
            await self._body(body, line, dict(headers), method)
        except _Ended:
            return Said(line, headers, bytes(body), is_whole=False)
        return Said(line, headers, bytes(body))

    async def head(self) -> tuple[str, tuple[tuple[str, str], ...]]:
        """Status line and headers, sorted and made equal where they differ from time to time."""
        text = (await self._until(b"\r\n\r\n")).decode("latin-1")
        line, *lines = text[:-4].split("\r\n")
        pairs = [each.partition(":") for each in lines]
        self.token = next((value.strip() for name, _, value in pairs if name.lower() == "token"), self.token)
        return line, tuple(sorted(_header(name.lower(), value.strip(" \t")) for name, _, value in pairs))

    async def rest(self) -> bytes:
        """What comes until the connection ends; a reset is an end."""
        with contextlib.suppress(_Ended):
            while True:
                await self._more()
        return bytes(self._buffer)

    async def exactly(self, count: int) -> bytes:
        """So many bytes."""
        while len(self._buffer) < count:
            await self._more()
        return self._take(count)

    async def chunk_into(self, body: bytearray) -> bool:
        """Add a body's next chunk; gives whether there was one."""
        size = int(await self._until(b"\r\n"), 16)
        await self._into(body, size)
        assert await self.exactly(2) == b"\r\n", "a chunk ends with CR LF, and no trailers are sent"
        return size > 0

    async def server_frame(self) -> bytes:
        """The next frame of a WebSocket, as it came."""
        start = await self.exactly(2)
        size = start[1] & 0x7F
        if size >= 126:
            length = await self.exactly(2 if size == 126 else 8)
            return start + length + await self.exactly(int.from_bytes(length, "big"))
        return start + await self.exactly(size)

    async def _body(self, body: bytearray, line: str, headers: dict[str, str], method: str) -> None:
        status = int(line.split(" ")[1])
        if status < 200 or status in (204, 304) or method == "HEAD":
            return
        if "transfer-encoding" in headers:
            while await self.chunk_into(body):
                pass
        elif "content-length" in headers:
            await self._into(body, int(headers["content-length"]))
        else:
            body += await self.rest()
            self._buffer.clear()

    async def _into(self, body: bytearray, count: int) -> None:
        while count:
            if not self._buffer:
                await self._more()
            piece = self._take(min(count, len(self._buffer)))
            body += piece
            count -= len(piece)

    async def _until(self, mark: bytes) -> bytes:
        while (at := self._buffer.find(mark)) < 0:
            await self._more()
        return self._take(at + len(mark))

    async def _more(self) -> None:
        try:
            data = await self.stream.receive_some(65_536)
        except (trio.BrokenResourceError, trio.ClosedResourceError):
            raise _Ended from None
        if not data:
            raise _Ended
        self._buffer += data

    def _take(self, count: int) -> bytes:
        taken = bytes(self._buffer[:count])
        del self._buffer[:count]
        return taken


def _header(name: str, value: str) -> tuple[str, str]:
    if name in ("connection", "upgrade"):
        return name, value.lower()  # tokens, and no case means more than another
    if _DATE.fullmatch(value):
        return name, "(a date)"
    return name, steady(value.encode("latin-1")).decode("latin-1")


def steady(body: bytes) -> bytes:
    """A body without what is random in it."""
    return _RANDOM.sub(b"(random)", body)


def steadied(said: Said) -> Said:
    """An answer without what is random in its body."""
    return replace(said, body=steady(said.body))


# --- Doors ---------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Door:
    """A way in.

    Args:
        name: For the reader of a difference.
        connect: Opens a connection.
    """

    name: str
    connect: Callable[[], Awaitable[trio.abc.Stream]]

    async def tell(self, asked: Case) -> Told:
        """Ask, and see what becomes of the connection."""
        with trio.fail_after(PATIENCE):
            stream = await self.connect()
        answers: list[Said] = []
        async with stream:
            reader = Reader(stream)
            with trio.move_on_after(PATIENCE):
                for part in asked.parts:
                    await _send(stream, part.data)
                    for method in part.methods:
                        answers.append(await reader.answer(method))
                        if answers[-1].closes:
                            return Told(tuple(answers), await _end(reader))
                return Told(tuple(answers), await _probed(stream, reader))
        return Told(tuple(answers), "nothing more")


async def _send(stream: trio.abc.Stream, data: bytes) -> None:
    # A door that has refused need not read on; what it said is still there to be read.
    with contextlib.suppress(trio.BrokenResourceError):
        await stream.send_all(data)


async def _end(reader: Reader) -> str:
    """`closed`, once it is, with nothing said after the last answer."""
    left = b"?"
    with trio.move_on_after(PATIENCE):
        left = await reader.rest()
    return "closed" if not left else f"not closed, said {left!r}"


async def _probed(stream: trio.abc.Stream, reader: Reader) -> str:
    await _send(stream, PROBE)
    found = await reader.answer("GET")
    if found.body == PROBED:
        return "kept" if await _end(reader) == "closed" else "kept too long"
    return "closed" if not found.line and not found.body else f"said {found!r}"


def tcp(port: int) -> Door:
    """A port of the loopback, in the clear."""

    async def connect() -> trio.abc.Stream:
        return await trio.open_tcp_stream("127.0.0.1", port)

    return Door("plain", connect)


def unix(path: str) -> Door:
    """A Unix socket."""

    async def connect() -> trio.abc.Stream:
        return await trio.open_unix_socket(path)

    return Door("unix", connect)


def tls(port: int) -> Door:
    """A port of the loopback with HTTP/1.1 over TLS."""
    context = ssl.create_default_context(cafile=str(CERTIFICATES / "first.cert.pem"))
    context.set_alpn_protocols(["http/1.1"])

    async def connect() -> trio.abc.Stream:
        stream = await trio.open_tcp_stream("127.0.0.1", port)
        secure = trio.SSLStream(stream, context, server_hostname="first.test", https_compatible=True)
        await secure.do_handshake()
        return secure

    return Door("tls", connect)


async def differences(asked: Case, doors: Sequence[Door]) -> list[str]:
    """What is wrong with the answers to a case: with what all say, and between the last door and each other one."""
    told = [_settled(await door.tell(asked), asked) for door in doors]
    found = [
        f"{asked.name}: {door.name} says {each.summary}, expected {asked.says}"
        for door, each in zip(doors, told, strict=True)
        if each.summary != asked.says
    ]
    for door, each in zip(doors[:-1], told[:-1], strict=True):
        for number, (one, other) in enumerate(zip(each.answers, told[-1].answers, strict=False)):
            if steadied(one) != steadied(other):
                found.append(f"{asked.name}: answer {number}\n  {door.name}: {one}\n  {doors[-1].name}: {other}")
    return found


def _settled(told: Told, asked: Case) -> Told:
    """The same without what a door may do in either way."""
    if not asked.says.endswith(" either") or told.afterwards not in ("kept", "closed"):
        return told
    return Told(tuple(unending(each) for each in told.answers), "either")


def unending(said: Said) -> Said:
    """An answer without its word on whether it is the connection's last."""
    return replace(said, headers=tuple(header for header in said.headers if header != ("connection", "close")))

"""Measure chat: posts a second with a channel full of people who are connected, the time until they have it, and what
a connection costs.

Run it as `python -m bench.chat` from the project's root, in its virtual environment. README.md says how to read it. The
daemon runs on one core, this process on the other: it posts over HTTP and reads all sockets itself, frame by frame.
"""

from __future__ import annotations

import argparse
import base64
import json
import os
import selectors
import socket
import struct
import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

from bench.chat_house import Crowd, chatting
from bench.loads import LOAD_CORE, Figures, quietest
from bench.processes import Target, cpu_seconds, resident_kib
from bench.reports import keep
from bench.server import quiet

SETTLE = 2.0

MARK = b"bench:"
"""Stands in a message before its number and the time at which it was due."""


def main() -> int:
    """Measure; the exit status is 1 when anything was lost, doubled, out of order or refused."""
    options = _options()
    os.sched_setaffinity(0, {LOAD_CORE})
    with chatting(options.scratch, max(options.people, options.idle)) as (daemon, crowd):
        results = [_idle(daemon, crowd, options.idle)]
        with _listening(daemon, crowd, options.people) as ears:
            post = partial(_posting, daemon, crowd, ears, options.seconds)
            results += [quietest(partial(post, rate=rate), options.tries) for rate in options.rates]
            results += [quietest(partial(post, posters=n), options.tries) for n in options.posters]
    for row in results:
        print(_row(row))
    keep(options.name, "bench.chat", results)
    return 1 if any(row.get("wrong") for row in results) else 0


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--name", default="", help="write bench/results/NAME.json; without it nothing is written")
    parser.add_argument("--people", type=int, default=200, help="connected, all in the channel")
    parser.add_argument("--idle", type=int, default=1000, help="connections for the memory of one")
    parser.add_argument("--seconds", type=float, default=5.0, help="of load for each figure")
    parser.add_argument("--rates", type=float, nargs="*", default=[10.0, 30.0], help="posts a second, steady")
    parser.add_argument("--posters", type=int, nargs="*", default=[1, 16], help="that never wait, at once")
    parser.add_argument("--tries", type=int, default=4, help="at the most, until nothing else uses the machine")
    parser.add_argument("--scratch", type=Path, default=Path(tempfile.gettempdir()), help="where the data goes")
    return parser.parse_args()


# --- Those who listen ------------------------------------------------------------------------------------------------


@dataclass
class Ear:
    """One WebSocket: what came of it, taken apart as far as is needed to find posts."""

    connection: socket.socket
    buffer: bytearray = field(default_factory=bytearray)
    next_seq: int = 0
    wrong: int = 0

    def read(self) -> list[bytes]:
        """The whole text frames that have come."""
        try:
            self.buffer += self.connection.recv(1 << 20)
        except BlockingIOError:
            return []
        found = []
        while len(self.buffer) >= 2:
            opcode, size, at = self.buffer[0] & 15, self.buffer[1] & 127, 2
            if size == 126:
                (size,), at = struct.unpack_from("!H", self.buffer, 2) if len(self.buffer) >= 4 else (1 << 40,), 4
            elif size == 127:
                (size,), at = struct.unpack_from("!Q", self.buffer, 2) if len(self.buffer) >= 10 else (1 << 40,), 10
            if len(self.buffer) < at + size:
                break
            if opcode == 1:
                found.append(bytes(self.buffer[at : at + size]))
                self._check(found[-1])
            elif opcode == 9:
                self.connection.send(b"\x8a\x80" + os.urandom(4))
            del self.buffer[: at + size]
        return found

    def _check(self, frame: bytes) -> None:
        seq = int(frame[frame.rindex(b'"seq":') + 6 : -1])
        self.wrong += seq != self.next_seq
        self.next_seq = seq + 1


def _connected(daemon: Target, token: str) -> Ear:
    connection = socket.create_connection(("127.0.0.1", daemon.port))
    key = base64.b64encode(os.urandom(16)).decode()
    connection.sendall(
        f"GET /api/v4/websocket HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer {token}\r\nUpgrade: websocket\r\n"
        f"Connection: Upgrade\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: {key}\r\n\r\n".encode()
    )
    head = bytearray()
    while b"\r\n\r\n" not in head:
        data = connection.recv(65536)
        if not data:
            raise RuntimeError(f"no WebSocket was opened: {bytes(head)!r}")
        head += data
    if not head.startswith(b"HTTP/1.1 101"):
        raise RuntimeError(f"no WebSocket was opened: {bytes(head[:200])!r}")
    connection.setblocking(False)
    return Ear(connection, head[head.index(b"\r\n\r\n") + 4 :])


@contextmanager
def _listening(daemon: Target, crowd: Crowd, count: int) -> Iterator[list[Ear]]:
    ears = [_connected(daemon, token) for token in crowd.tokens[:count]]
    try:
        _drain(ears, SETTLE)
        yield ears
    finally:
        for ear in ears:
            ear.connection.close()


def _drain(ears: list[Ear], seconds: float) -> None:
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        for ear in ears:
            ear.read()
        time.sleep(0.05)


def _idle(daemon: Target, crowd: Crowd, count: int) -> Figures:
    before = resident_kib(daemon.pid)
    with _listening(daemon, crowd, count):
        after = resident_kib(daemon.pid)
    time.sleep(SETTLE)
    return {"what": f"{count} idle connections", "kib_each": (after - before) / count, "resident_kib": before}


# --- Those who write -------------------------------------------------------------------------------------------------


class Poster:
    """One HTTP connection that posts."""

    def __init__(self, daemon: Target, crowd: Crowd, token: str) -> None:
        self.connection = socket.create_connection(("127.0.0.1", daemon.port))
        self.connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.connection.setblocking(False)
        self._channel = crowd.channel
        self._token = token
        self._answer = bytearray()
        self.is_waiting = False

    def post(self, number: int, due: float) -> None:
        """Write a post that says its number and when it was due."""
        message = f"{MARK.decode()}{number}:{int(due * 1e6)}: " + "lorem ipsum " * 8
        body = json.dumps({"channel_id": self._channel, "message": message}).encode()
        head = (
            f"POST /api/v4/posts HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer {self._token}\r\n"
            f"Content-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n"
        )
        self.connection.send(head.encode() + body)
        self._answer.clear()
        self.is_waiting = True

    def read(self) -> bool | None:
        """Whether the post was taken; None until its answer is whole."""
        try:
            self._answer += self.connection.recv(1 << 16)
        except BlockingIOError:
            return None
        head, end, body = bytes(self._answer).partition(b"\r\n\r\n")
        if not end:
            return None
        length = next(int(line[15:]) for line in head.lower().split(b"\r\n") if line.startswith(b"content-length:"))
        if len(body) < length:
            return None
        self.is_waiting = False
        return head.startswith(b"HTTP/1.1 201")


def _posting(
    daemon: Target, crowd: Crowd, ears: list[Ear], seconds: float, *, rate: float = 0.0, posters: int = 8
) -> Figures:
    """Post for some seconds, at a steady rate or as fast as the answers come, and wait until everybody has it all."""
    # A connection of the daemon's answers so many requests and is closed: fresh ones for each measurement.
    writing = [Poster(daemon, crowd, crowd.tokens[n % len(crowd.tokens)]) for n in range(posters)]
    chosen = selectors.DefaultSelector()
    everybody: list[Ear | Poster] = [*ears, *writing]
    for each in everybody:
        chosen.register(each.connection, selectors.EVENT_READ, each)
    run = _Run(ears)
    wrong = sum(ear.wrong for ear in ears)
    cpu, began = cpu_seconds(daemon.pid), time.monotonic()
    with quiet() as busy:
        while True:
            now = time.monotonic()
            is_over = now - began > seconds
            for poster in writing if not is_over else ():
                due = began + run.sent / rate if rate else now
                if not poster.is_waiting and due <= now:
                    poster.post(run.sent, due)
                    run.sent += 1
            if is_over and not any(poster.is_waiting for poster in writing) and run.is_complete(now - began - seconds):
                break
            for key, _ in chosen.select(0.002):
                if isinstance(key.data, Poster):
                    taken = key.data.read()
                    run.refused += taken is False
                    run.answered_at = time.monotonic() if taken is not None else run.answered_at
                else:
                    run.hear(key.data)
    elapsed = time.monotonic() - began
    cpu = cpu_seconds(daemon.pid) - cpu
    chosen.close()
    for poster in writing:
        poster.connection.close()
    lost, doubled = run.faults()
    wrong = sum(ear.wrong for ear in ears) - wrong + lost + doubled + run.refused
    delays = sorted(run.delays)
    what = f"{rate:g} posts a second, steady" if rate else f"{posters} posters that never wait"
    return {
        "what": f"{what}, {len(ears)} connected",
        "posts_per_second": run.sent / (run.answered_at - began),
        "deliveries_per_second": len(delays) / elapsed,
        "p50_ms": delays[len(delays) // 2] * 1000,
        "p99_ms": delays[int(len(delays) * 0.99)] * 1000,
        "cpu_us_each_delivery": cpu / max(1, len(delays)) * 1e6,
        "daemon_cores": cpu / elapsed,
        "others": max(0.0, busy[0] - cpu / elapsed - 1.0),
        "lost": lost,
        "doubled": doubled,
        "refused": run.refused,
        "wrong": wrong,
    }


class _Run:
    """What one measurement has seen."""

    def __init__(self, ears: list[Ear]) -> None:
        self.sent = self.refused = 0
        self.answered_at = time.monotonic()
        self.delays: list[float] = []
        self._heard: dict[int, Counter[int]] = {id(ear): Counter() for ear in ears}

    def hear(self, ear: Ear) -> None:
        now = time.monotonic()
        for frame in ear.read():
            at = frame.find(MARK)
            if at < 0 or not frame.startswith(b'{"event":"posted"'):
                continue
            number, due, _ = frame[at + len(MARK) :].split(b":", 2)
            self._heard[id(ear)][int(number)] += 1
            self.delays.append(now - int(due) / 1e6)

    def is_complete(self, late: float) -> bool:
        return late > 10 or len(self.delays) >= (self.sent - self.refused) * len(self._heard)

    def faults(self) -> tuple[int, int]:
        expected = self.sent - self.refused
        lost = sum(expected - len(heard) for heard in self._heard.values())
        return lost, sum(sum(heard.values()) - len(heard) for heard in self._heard.values())


def _row(row: Figures) -> str:
    if "kib_each" in row:
        return f"{row['what']}: {row['kib_each']:.1f} KiB each"
    return (
        f"{row['what']}: {row['posts_per_second']:.0f} posts/s, {row['deliveries_per_second']:.0f} deliveries/s, "
        f"p50 {row['p50_ms']:.0f} ms, p99 {row['p99_ms']:.0f} ms, {row['cpu_us_each_delivery']:.0f} us each, "
        f"others {row['others']:.2f}, wrong {row['wrong']}"
    )


if __name__ == "__main__":
    raise SystemExit(main())

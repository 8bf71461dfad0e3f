"""Load of people who sign in: how many, what that does to publishing, and how fast their tokens are checked.

`run.py` runs it; by itself: `python -m bench.accounts --help`. It prints one line of JSON.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import time
from collections import Counter
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any, Self

import trio

from bench.closed_house import furnish
from manor import NewUser, Transaction, add_user
from manor.house import House

PASSWORD = "a password for measuring"
TOPIC = "bench0"

Figures = dict[str, Any]


def main() -> None:
    """Do what was asked for."""
    options = _options()
    if options.mode == "people":
        furnish(options.config, lambda house: _add_people(house, options.people))
        return
    run = {"logins": _logins, "chat-logins": _chat_logins, "flood": _flood, "tokens": _tokens}[options.mode]
    print(json.dumps(trio.run(run, options)))


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument(
        "mode",
        choices=["people", "logins", "chat-logins", "flood", "tokens"],
        help="add people to a house that is closed; or the load that is measured",
    )
    parser.add_argument("--config", type=Path, help="of the house that people are added to")
    parser.add_argument("--people", type=int, default=40)
    parser.add_argument("--port", type=int, default=0)
    parser.add_argument("--pid", type=int, default=0, help="the daemon, whose CPU time is counted")
    parser.add_argument("--tree", action="store_true", help="taken and ignored, as the other load generator has it")
    parser.add_argument("--conns", type=int, default=16, help="people who sign in, or use their token, at once")
    parser.add_argument("--rate", type=float, default=50.0, help="publishes a second, in `flood`")
    parser.add_argument("--secs", type=float, default=3.0)
    return parser.parse_args()


async def _add_people(house: House, count: int) -> None:
    """People with one password and one hash of it, made with the settings that the house has."""
    password_hash = await house.services.identity.hasher.hash(PASSWORD)

    def work(transaction: Transaction) -> None:
        for number in range(count):
            new = NewUser(
                username=f"bench{number}",
                email=f"bench{number}@example.org",
                tier="FREE",
                password_hash=password_hash,
                is_verified=True,
            )
            add_user(transaction, new)

    await house.storage.write(work)


# --- What is measured ----------------------------------------------------------------------------------------------


async def _logins(options: argparse.Namespace) -> Figures:
    """Sign-ins a second, of people who know their password."""
    with _Cpu(options.pid) as cpu:
        answers = await _sign_in_all_the_time(options)
    return {**answers.figures("login"), **cpu.figures(answers.count)}


async def _chat_logins(options: argparse.Namespace) -> Figures:
    """The same through chat."""
    with _Cpu(options.pid) as cpu:
        answers = await _all_the_time(options, lambda turn: _chat_login(turn % options.people))
    return {**answers.figures("login"), **cpu.figures(answers.count)}


async def _flood(options: argparse.Namespace) -> Figures:
    """The time that a publish takes at a steady rate: first by itself, then while people sign in all the time."""
    with _Cpu(options.pid) as cpu:
        calm = await _publish_steadily(options)
        logins: list[_Answers] = []
        flooded: list[_Answers] = []

        async def flood() -> None:
            logins.append(await _sign_in_all_the_time(options))

        async def publish() -> None:
            flooded.append(await _publish_steadily(options))

        async with trio.open_nursery() as nursery:
            nursery.start_soon(flood)
            nursery.start_soon(publish)
    (login,), (pub,) = logins, flooded
    return {
        **calm.figures("calm"),
        **pub.figures("flooded"),
        **login.figures("login"),
        "errors": calm.errors + pub.errors + login.errors,
        **cpu.figures(calm.count + pub.count + login.count),
    }


async def _tokens(options: argparse.Namespace) -> Figures:
    """`GET /auth/me` with access tokens of several people: each may ask only so often a minute."""
    tokens = []
    connection = await _Connection.open(options.port)
    for number in range(options.people):
        status, body = await connection.ask(_login(number))
        if status != 200:
            raise SystemExit(f"bench{number} cannot sign in: {status} {body[:200]!r}")
        tokens.append(json.loads(body)["access_token"])
    await connection.close()
    requests = [_request("GET", "/auth/me", headers=f"Authorization: Bearer {token}\r\n") for token in tokens]
    with _Cpu(options.pid) as cpu:
        answers = await _all_the_time(options, lambda turn: requests[turn % len(requests)])
    return {**answers.figures("check"), **cpu.figures(answers.count)}


async def _sign_in_all_the_time(options: argparse.Namespace) -> _Answers:
    return await _all_the_time(options, lambda turn: _login(turn % options.people))


async def _all_the_time(options: argparse.Namespace, request: Callable[[int], bytes]) -> _Answers:
    """Each connection asks, waits for the answer, and asks again."""
    answers = _Answers()
    until = trio.current_time() + options.secs

    async def ask(first: int) -> None:
        connection = await _Connection.open(options.port)
        turn = first
        while trio.current_time() < until:
            began = trio.current_time()
            status, _ = await connection.ask(request(turn))
            answers.note(status, began)
            turn += options.conns
        await connection.close()

    await _at_once(options.conns, ask)
    return answers


async def _publish_steadily(options: argparse.Namespace) -> _Answers:
    """A latency counts from the moment that the message was due: a daemon that stalls pays for the wait."""
    answers = _Answers()
    writers = max(4, int(options.rate))
    request = _request("POST", f"/{TOPIC}", body=b"x" * 100)
    start = trio.current_time() + 0.1

    async def publish(first: int) -> None:
        connection = await _Connection.open(options.port)
        for turn in range(first, int(options.rate * options.secs), writers):
            due = start + turn / options.rate
            await trio.sleep_until(due)
            status, _ = await connection.ask(request)
            answers.note(status, due)
        await connection.close()

    await _at_once(writers, publish)
    return answers


async def _at_once(count: int, act: Callable[[int], Awaitable[None]]) -> None:
    async with trio.open_nursery() as nursery:
        for number in range(count):
            nursery.start_soon(act, number)


# --- Counting ------------------------------------------------------------------------------------------------------


class _Answers:
    """What came back, and how long it took."""

    def __init__(self) -> None:
        self._statuses: Counter[int] = Counter()
        self._seconds: list[float] = []
        self._began = self._ended = trio.current_time()

    def note(self, status: int, since: float) -> None:
        """One came that was asked for, or due, then."""
        self._ended = trio.current_time()
        self._statuses[status] += 1
        if status == 200:
            self._seconds.append(self._ended - since)

    @property
    def count(self) -> int:
        """Those that were good."""
        return len(self._seconds)

    @property
    def errors(self) -> int:
        """What is neither good nor a refusal of a house that has enough to do (503)."""
        return sum(count for status, count in self._statuses.items() if status not in (200, 503))

    def figures(self, name: str) -> Figures:
        """As `run.py` keeps them; a rate counts until the last answer came."""
        ordered = sorted(self._seconds) or [0.0]
        return {
            f"{name}_per_s": round(self.count / max(0.001, self._ended - self._began), 1),
            f"{name}_p50_ms": round(ordered[len(ordered) // 2] * 1000, 2),
            f"{name}_p99_ms": round(ordered[min(len(ordered) - 1, int(len(ordered) * 0.99))] * 1000, 2),
            f"{name}_statuses": {str(status): count for status, count in sorted(self._statuses.items())},
            "errors": self.errors,
        }


class _Cpu:
    """CPU seconds of the daemon and of ourselves while a block runs."""

    def __init__(self, pid: int) -> None:
        self._pid = pid

    def __enter__(self) -> Self:
        self._began, self._server, self._own = time.perf_counter(), self._of_server(), _own_cpu()
        return self

    def __exit__(self, *_: object) -> None:
        self._seconds = time.perf_counter() - self._began
        self._server, self._own = self._of_server() - self._server, _own_cpu() - self._own

    def figures(self, count: int) -> Figures:
        """In cores, and of the daemon for each of so many requests."""
        return {
            "loadgen_cpu": round(self._own / self._seconds, 3),
            "server_cpu": round(self._server / self._seconds, 3),
            "server_cpu_us_per_msg": round(self._server * 1e6 / max(1, count), 1),
        }

    def _of_server(self) -> float:
        if not self._pid:
            return 0.0
        fields = Path(f"/proc/{self._pid}/stat").read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def _own_cpu() -> float:
    used = resource.getrusage(resource.RUSAGE_SELF)
    return used.ru_utime + used.ru_stime


# --- HTTP ----------------------------------------------------------------------------------------------------------


def _request(method: str, path: str, *, headers: str = "", body: bytes = b"") -> bytes:
    length = f"Content-Length: {len(body)}\r\n" if body else ""
    return f"{method} {path} HTTP/1.1\r\nHost: 127.0.0.1\r\n{headers}{length}\r\n".encode() + body


def _login(number: int) -> bytes:
    body = json.dumps({"email": f"bench{number}", "password": PASSWORD}).encode()
    return _request("POST", "/auth/login", headers="Content-Type: application/json\r\n", body=body)


def _chat_login(number: int) -> bytes:
    body = json.dumps({"login_id": f"bench{number}", "password": PASSWORD}).encode()
    return _request("POST", "/api/v4/users/login", headers="Content-Type: application/json\r\n", body=body)


class _Connection:
    """A connection that is kept; it reads answers that say how long they are, as all here do."""

    def __init__(self, stream: trio.SocketStream) -> None:
        self._stream = stream
        self._read = b""

    @classmethod
    async def open(cls, port: int) -> _Connection:
        return cls(await trio.open_tcp_stream("127.0.0.1", port))

    async def close(self) -> None:
        await self._stream.aclose()

    async def ask(self, request: bytes) -> tuple[int, bytes]:
        await self._stream.send_all(request)
        while b"\r\n\r\n" not in self._read:
            await self._more()
        head, _, self._read = self._read.partition(b"\r\n\r\n")
        status_line, *fields = head.split(b"\r\n")
        lengths = [int(value) for name, _, value in (field.partition(b":") for field in fields) if _is_length(name)]
        if len(lengths) != 1:
            raise SystemExit(f"an answer without a length: {head[:200]!r}")
        while len(self._read) < lengths[0]:
            await self._more()
        body, self._read = self._read[: lengths[0]], self._read[lengths[0] :]
        return int(status_line.split()[1]), body

    async def _more(self) -> None:
        data = await self._stream.receive_some(65_536)
        if not data:
            raise SystemExit("the daemon closed a connection in the middle of an answer")
        self._read += data


def _is_length(name: bytes) -> bool:
    return name.lower() == b"content-length"


if __name__ == "__main__":
    main()

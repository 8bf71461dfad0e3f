"""`[server] processes`: a real daemon whose streams are written to by processes of their own."""

from __future__ import annotations

import os
import re
import signal
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager
from functools import partial
from pathlib import Path
from typing import Any

import msgspec
import pytest
import trio
from wsproto.events import CloseConnection, Ping, Pong, TextMessage

from tests.e2e.clients import Events, Socket, ask, connected, hearing, listening, subscribed
from tests.e2e.conftest import Make
from tests.e2e.daemon import DEADLINE, Daemon

TABLES = {
    "server": {"processes": 2, "limits": {"address_limit_factor": 0, "connections_per_address": 0}},
    "identity": {"require_verification": False},
}
PASSWORD = "a long enough password"
JSON = "Content-Type: application/json"


@pytest.fixture(scope="module")
def daemon(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Daemon]:
    """A daemon with two stream processes; each test has a topic of its own."""
    daemon = Daemon(tmp_path_factory.mktemp("processes"), TABLES)
    running = daemon.start()
    try:
        for number in "12":
            running.log.wait_for(f'"process": "{number}"')
        daemon.create("moving", "dying", "slowly", "talking", "counted", "later")
        yield daemon
        assert daemon.stop() == 0
    finally:
        daemon.kill()


# --- Looking in from outside ---------------------------------------------------------------------------------------


def children(pid: int) -> list[int]:
    """The daemon's stream processes; whichever thread has started them."""
    return [int(word) for file in Path(f"/proc/{pid}/task").glob("*/children") for word in file.read_text().split()]


def pid_of(daemon: Daemon) -> int:
    assert daemon.running is not None
    return daemon.running.pid


def is_alive(pid: int) -> bool:
    try:
        return "\nState:\tZ" not in Path(f"/proc/{pid}/status").read_text()
    except OSError:
        return False


async def until(is_so: Callable[[], Any]) -> None:
    with trio.fail_after(DEADLINE):
        while not is_so():  # noqa: ASYNC110 - a process's end has no event here
            await trio.sleep(0.01)


async def counted(port: int, metric: str) -> int:
    text = (await ask(port, "GET", "/metrics")).body.decode()
    found = re.search(rf"^manor_{metric} ([0-9.]+)$", text, re.MULTILINE)
    assert found is not None, text
    return int(float(found[1]))


async def moved(port: int, count: int) -> None:
    """Wait until other processes write to so many."""
    with trio.fail_after(DEADLINE):
        while await counted(port, "stream_process_lines") != count:  # noqa: ASYNC110 - the server does not tell
            await trio.sleep(0.01)


@asynccontextmanager
async def publishing(port: int, topic: str, *, size: int = 100) -> AsyncIterator[list[str]]:
    """Messages are published one after the other meanwhile; gives their ids as they are known."""
    ids: list[str] = []
    is_over = False

    async def publish() -> None:
        async with connected(port) as wire:
            while not is_over:
                answer = await wire.ask("POST", f"/{topic}", b"x" * size)
                assert answer.status == 200, answer
                ids.append(answer.json["id"])

    async with trio.open_nursery() as nursery:
        nursery.start_soon(publish)
        await until(lambda: len(ids) >= 5)
        yield ids
        is_over = True


# --- Everything, in order, once ------------------------------------------------------------------------------------


async def one_more(stream: Events | Socket) -> list[str]:
    if isinstance(stream, Events):
        return [message.id for message in await stream.messages(1)]
    return [message["id"] for message in await stream.messages(1)]


async def test_whoever_comes_while_all_the_time_something_is_said_hears_it_all_in_order_and_once(
    daemon: Daemon,
) -> None:
    port, heard = daemon.port, dict[str, list[str]]()

    async def hear(name: str, opened: Any, *, task_status: trio.TaskStatus[None]) -> None:
        async with opened as stream:
            task_status.started()
            ids = heard[name] = []
            while True:
                ids += await one_more(stream)

    async with trio.open_nursery() as nursery:
        async with publishing(port, "moving") as ids:
            for number in range(6):
                start = partial(nursery.start, hear)
                await start(f"events {number}", listening(port, "moving"))
                await start(f"socket {number}", subscribed(port, "moving"))
                await start(f"all {number}", listening(port, "moving", query="?since=all"))
                await start(f"all socket {number}", subscribed(port, "moving", query="?since=all"))
            await until(lambda: all(heard[name] for name in heard))
            enough = len(ids) + 20
            await until(lambda: len(ids) >= enough)
        await moved(port, 24)
        last_id = (await ask(port, "POST", "/moving", "the last")).json["id"]
        await until(lambda: all(known[-1:] == [last_id] for known in heard.values()))
        nursery.cancel_scope.cancel()
    assert len(heard) == 24
    for name, known in heard.items():
        whole = [*ids, last_id]
        assert known == (whole if name.startswith("all") else whole[whole.index(known[0]) :]), name
    await moved(port, 0)


async def test_when_a_process_is_killed_its_clients_come_back_and_nothing_is_lost_or_told_twice(
    daemon: Daemon,
) -> None:
    port, pid = daemon.port, pid_of(daemon)
    heard: dict[int, list[str]] = {number: [] for number in range(12)}
    returned = 0

    async def hear(number: int) -> None:
        nonlocal returned
        ids = heard[number]
        while True:
            opened = listening if number % 2 else subscribed
            async with opened(port, "dying", query=f"?since_id={ids[-1]}" if ids else "?since=all") as stream:
                try:
                    while True:
                        ids += await one_more(stream)
                except (AssertionError, trio.BrokenResourceError):
                    returned += 1

    async with trio.open_nursery() as nursery:
        async with publishing(port, "dying") as ids:
            for number in heard:
                nursery.start_soon(hear, number)
            await moved(port, 12)
            before = children(pid)
            assert len(before) == 2
            os.kill(before[0], signal.SIGKILL)
            await until(lambda: returned)
            enough = len(ids) + 20
            await until(lambda: len(ids) >= enough)
        last_id = (await ask(port, "POST", "/dying", "the last")).json["id"]
        await until(lambda: all(known[-1:] == [last_id] for known in heard.values()))
        nursery.cancel_scope.cancel()

    assert 1 <= returned < 12, "those of the other process noticed nothing"
    assert all(known == [*ids, last_id] for known in heard.values())
    await until(lambda: len(children(pid)) == 2)
    assert before[0] not in children(pid)
    assert "a stream process has ended" in daemon.log.text
    await moved(port, 0)


# --- Ends ----------------------------------------------------------------------------------------------------------


async def test_who_reads_too_slowly_is_closed_with_the_reason_and_holds_nobody_up(daemon: Daemon) -> None:
    port = daemon.port
    before = await counted(port, "live_too_slow_total")
    async with (
        listening(port, "slowly", receive_buffer=4096) as slow_events,
        subscribed(port, "slowly", receive_buffer=4096) as slow_socket,
        listening(port, "slowly") as quick,
    ):
        await moved(port, 3)
        ids: list[str] = []
        async with connected(port) as wire:
            while await counted(port, "live_too_slow_total") < before + 2:
                ids += [(await wire.ask("POST", "/slowly", b"x" * 60_000)).json["id"] for _ in range(10)]
                known = [message.id for message in await quick.messages(10)]
                assert known == ids[-10:]
        slow_heard = [message.id for message in await slow_events.to_the_end(may_be_cut=True)]
        frames, code = await slow_socket.to_the_end()

    assert code in (1013, 1006), "who reads too late to be told why finds the connection cut"
    for began in (slow_heard, [frame["id"] for frame in frames]):
        assert len(began) < len(ids)
        assert began == ids[: len(began)]


async def test_a_revoked_key_ends_streams_elsewhere_with_the_reason(daemon: Daemon) -> None:
    port = daemon.port
    added = daemon.manor(
        "user", "add", "ada@example.org", "--username", "ada", "--password-stdin", stdin=f"{PASSWORD}\n"
    )
    assert added.returncode == 0, added.stderr
    body = msgspec.json.encode({"email": "ada@example.org", "password": PASSWORD})
    session = f"Authorization: Bearer {(await ask(port, 'POST', '/auth/login', body, [JSON])).json['access_token']}"
    made = (await ask(port, "POST", "/api/keys", b'{"name":"laptop","scopes":["*"]}', [session, JSON])).json
    key = f"Authorization: Bearer {made['key']}"

    async with hearing(port, "/later/sse", headers=[key]) as events, connected(port) as wire:
        socket = Socket(wire)
        await socket.open("/later/ws", [(b"authorization", key.split(": ", 1)[1].encode())])
        await socket.frame()
        await moved(port, 2)
        await ask(port, "POST", f"/api/keys/{made['id']}/revoke", headers=[session])
        await ask(port, "POST", "/later", "not for them")
        assert await events.to_the_end() == []
        assert events.is_over
        assert await socket.to_the_end() == ([], 4401)
        assert await events.wire.rest() == b"", "a stream that is over ends its connection"
    await moved(port, 0)


# --- What clients say ----------------------------------------------------------------------------------------------


async def pong(socket: Socket) -> bytes:
    while not isinstance(event := await socket.event(), Pong):
        pass
    return bytes(event.payload)


async def test_a_client_elsewhere_is_answered_and_heard_when_it_leaves(daemon: Daemon) -> None:
    port = daemon.port
    async with subscribed(port, "talking") as socket, subscribed(port, "talking") as rude:
        await moved(port, 2)
        for word in (b"one", b"two"):
            await socket.send(Ping(payload=word))
            assert await pong(socket) == word
        await socket.send(TextMessage(data="nobody listens to this"))
        await ask(port, "POST", "/talking", "hello")
        assert [message["message"] for message in await socket.messages(1)] == ["hello"]

        await socket.send(CloseConnection(code=1000))
        assert (await socket.to_the_end())[1] == 1000
        await rude.wire.send(b"\x83\x80\x00\x00\x00\x00")
        assert (await rude.to_the_end())[1] == 1002, "what is no frame of RFC 6455"
    await moved(port, 0)


async def test_who_hears_a_topic_elsewhere_is_counted_until_he_leaves(daemon: Daemon) -> None:
    port = daemon.port

    async def connections() -> int:
        return int((await ask(port, "GET", "/api/topics/counted")).json["connection_count"])

    async with listening(port, "counted"):
        async with listening(port, "counted") as half, subscribed(port, "counted"):
            await moved(port, 3)
            assert await connections() == 3
            assert await counted(port, "live_outlets") == 3
            await half.wire.stream.send_eof()
            await moved(port, 2)
            assert await connections() == 2
        await moved(port, 1)
        assert await connections() == 1
    await moved(port, 0)


# --- The daemon's own end ------------------------------------------------------------------------------------------


async def test_a_stop_ends_all_with_the_reason_and_a_crash_leaves_no_process(make: Make) -> None:
    daemon = make(TABLES)
    running = daemon.start()
    daemon.create("attic")
    for number in "12":
        running.log.wait_for(f'"process": "{number}"')
    processes = children(running.pid)
    assert len(processes) == 2
    async with listening(daemon.port, "attic") as events, subscribed(daemon.port, "attic") as socket:
        await moved(daemon.port, 2)
        for process in processes:
            os.kill(process, signal.SIGTERM)  # as systemd does, and a terminal's Ctrl-C
        said = (await ask(daemon.port, "POST", "/attic", "the last")).json["id"]
        running.signal(signal.SIGTERM)
        assert [message.id for message in await events.to_the_end()] == [said]
        frames, code = await socket.to_the_end()
        assert ([frame["id"] for frame in frames], code) == ([said], 1001)
        assert await running.exit_code() == 0
    assert not any(map(is_alive, processes))

    running = daemon.start()
    for number in "12":
        running.log.wait_for(f'"process": "{number}"')
    processes = children(running.pid)
    async with listening(daemon.port, "attic") as events:
        await moved(daemon.port, 1)
        running.signal(signal.SIGKILL)
        await events.wire.rest()
        await running.exit_code()
        await until(lambda: not any(map(is_alive, processes)))

"""Signals, service manager and crashes: what the daemon makes of each."""

from __future__ import annotations

import os
import signal
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.e2e.clients import ask, connected, listening, subscribed
from tests.e2e.conftest import Make
from tests.e2e.daemon import DEADLINE

ANNOUNCED = b"POST /welcome HTTP/1.1\r\nHost: manor.test\r\nContent-Length: 9\r\nExpect: 100-continue\r\n\r\n"
"""A request whose body never comes."""


class Manager:
    """The service manager's end of sd_notify."""

    def __init__(self, path: Path) -> None:
        self.environment = {"NOTIFY_SOCKET": str(path)}
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self._socket.bind(str(path))
        self._socket.settimeout(DEADLINE)

    def told(self) -> str:
        """The first line of the next notification."""
        return self._socket.recv(4096).decode().partition("\n")[0]

    def close(self) -> None:
        self._socket.close()


@pytest.fixture
def manager(tmp_path: Path) -> Iterator[Manager]:
    made = Manager(tmp_path / "notify")
    yield made
    made.close()


def limited(factor: float, level: str, connections: int) -> dict[str, object]:
    limits = {"address_limit_factor": factor, "connections_per_address": connections}
    return {"server": {"log_level": level, "limits": limits}}


async def test_sighup_applies_what_can_be_changed_and_keeps_what_was_right(make: Make, manager: Manager) -> None:
    daemon = make(limited(1, "info", 10))
    running = daemon.start(manager.environment)
    assert manager.told() == "READY=1"
    port = daemon.port

    async with listening(port, "welcome") as events, subscribed(port, "welcome") as sock, connected(port) as kept:
        before = await kept.ask("POST", "/welcome", b"one")
        daemon.configure(limited(3, "debug", 4))
        running.signal(signal.SIGHUP)
        assert [manager.told(), manager.told()] == ["RELOADING=1", "READY=1"]
        after = await kept.ask("POST", "/welcome", b"two")
        async with connected(port):
            assert (await ask(port, "GET", "/livez")).status == 503, (
                "the fifth connection of an address is one too many"
            )
        assert '"path": "/welcome"' in running.log.wait_for('"event": "request"')

        known = len(running.log.lines)
        daemon.config.write_text(daemon.config.read_text().replace('"debug"', '"loud"') + "\n[nonsense]\na = 1\n")
        running.signal(signal.SIGHUP)
        assert [manager.told(), manager.told()] == ["RELOADING=1", "READY=1"]
        running.log.wait_for("server.log_level: ", after=known)
        running.log.wait_for("nonsense", after=known)
        still = await kept.ask("POST", "/welcome", b"three")

        daemon.configure({"server": {"bind": ["127.0.0.1:1"], "log_level": "debug"}})
        running.signal(signal.SIGHUP)
        running.log.wait_for('"needs_restart": ["server.bind"]')
        assert [manager.told(), manager.told()] == ["RELOADING=1", "READY=1"]

        limits = [answer.headers["x-ratelimit-limit"] for answer in (before, after, still)]
        assert limits == ["100", "300", "300"]
        assert [heard.json["message"] for heard in await events.messages(3)] == ["one", "two", "three"]
        assert [heard["message"] for heard in await sock.messages(3)] == ["one", "two", "three"]

    assert daemon.stop() == 0
    assert manager.told() == "STOPPING=1"


async def test_a_sighup_while_it_starts_is_obeyed_once_it_serves(make: Make, manager: Manager) -> None:
    daemon = make()
    configured = daemon.config.read_text()
    daemon.config.unlink()
    os.mkfifo(daemon.config)
    running = daemon.start(manager.environment)
    # Opened once the daemon reads its configuration: that is long before it listens to signals.
    with daemon.config.open("w") as pipe:
        running.signal(signal.SIGHUP)
        pipe.write(configured)
    assert manager.told() == "READY=1"

    with daemon.config.open("w") as pipe:
        pipe.write(configured)

    assert [manager.told(), manager.told()] == ["RELOADING=1", "READY=1"]
    assert daemon.stop() == 0


async def test_the_first_interrupt_waits_for_requests_and_the_second_does_not(make: Make) -> None:
    daemon = make()
    running = daemon.start()
    async with connected(daemon.port) as half, connected(daemon.port) as idle:
        assert (await idle.ask("GET", "/livez")).status == 200
        assert (await idle.ask("POST", "/welcome", b"kept")).status == 200
        await half.send(
            b"POST /welcome HTTP/1.1\r\nHost: manor.test\r\nContent-Length: 9\r\nExpect: 100-continue\r\n\r\n"
        )
        assert (await half.head()).status == 100

        running.signal(signal.SIGINT)
        assert await idle.rest() == b""
        running.signal(signal.SIGINT)

        assert await running.exit_code() == 130
    daemon.start()
    history = await ask(daemon.port, "GET", "/welcome/json")
    assert [message["message"] for message in history.json["messages"]] == ["kept"]


async def test_what_a_kill_leaves_behind_does_no_harm(make: Make) -> None:
    daemon = make()
    daemon.start()
    assert (await ask(daemon.port, "POST", "/welcome", "kept")).status == 200
    daemon.kill()
    left = {path.name for path in daemon.data.iterdir()}
    assert {"control.sock", "manor.lock", "manor.db-wal"} <= left

    daemon.start()

    daemon.create("attic")
    history = await ask(daemon.port, "GET", "/welcome/json")
    assert [message["message"] for message in history.json["messages"]] == ["kept"]
    assert (await ask(daemon.port, "POST", "/attic", "Hello")).status == 200


async def test_an_interrupt_ends_a_daemon_in_good_order_also_without_its_control_socket(make: Make) -> None:
    daemon = make()
    running = daemon.start()
    (daemon.data / "control.sock").unlink()
    assert (await ask(daemon.port, "POST", "/welcome", "Hello")).status == 200

    running.signal(signal.SIGINT)

    assert await running.exit_code() == 0
    left = {path.name for path in daemon.data.iterdir()}
    assert not left & {"control.sock", "manor.db-wal", "manor.db-shm"}

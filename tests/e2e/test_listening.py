"""Where the daemon listens, and on which processor it works."""

from __future__ import annotations

import os
import socket
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.e2e.clients import ask, connected, listening, subscribed
from tests.e2e.conftest import Make
from tests.e2e.daemon import Daemon, Running, free_port, spawn

ACTIVATE = """
import os, sys
os.dup2(int(sys.argv[1]), 3)
os.environ.update(LISTEN_FDS="1", LISTEN_PID=str(os.getpid()))
os.execv(sys.executable, [sys.executable, "-m", "manor", *sys.argv[2:]])
"""
"""What a service manager does: the socket becomes descriptor 3 of the process that the variables name."""


@pytest.fixture
def listener() -> Iterator[socket.socket]:
    with socket.socket() as made:
        made.bind(("127.0.0.1", free_port()))
        made.listen()
        yield made


async def test_a_unix_socket_and_several_ports_are_one_daemon(make: Make) -> None:
    daemon = make()
    other, path = free_port(), daemon.folder / "manor.sock"
    path_left = socket.socket(socket.AF_UNIX)
    path_left.bind(str(path))
    path_left.close()
    daemon.configure({"server": {"bind": [f"127.0.0.1:{daemon.port}", f"unix:{path}", f"[::1]:{other}"]}})
    running = daemon.start()

    async with listening(daemon.port, "welcome") as events, subscribed(str(path), "welcome") as sock:
        for to in (daemon.port, str(path)):
            assert (await ask(to, "POST", "/welcome", "Hello")).status == 200
        with socket.create_connection(("::1", other), timeout=10) as six:
            six.sendall(b"POST /welcome HTTP/1.0\r\nHost: manor.test\r\nContent-Length: 5\r\n\r\nHello")
            assert six.recv(100).startswith(b"HTTP/1.1 200 ")
        assert len(await events.messages(3)) == len(await sock.messages(3)) == 3

    assert running.said.lines[0] == f"Manor is at http://127.0.0.1:{daemon.port}\n"
    assert path.stat().st_mode & 0o777 == 0o660
    assert daemon.stop() == 0
    assert not path.exists()


async def test_over_a_unix_socket_alone_commands_find_the_daemon_and_no_url_is_named(make: Make) -> None:
    daemon = make()
    path = daemon.folder / "manor.sock"
    daemon.configure({"server": {"bind": [f"unix:{path}"]}})
    running = daemon.start()

    published = daemon.manor("publish", "welcome", "Hello")

    assert published.returncode == 0, published.stderr
    assert running.said.lines[0] == f"Manor listens on unix:{path}\n"
    history = await ask(str(path), "GET", "/welcome/json")
    assert [message["message"] for message in history.json["messages"]] == ["Hello"]
    assert daemon.stop() == 0
    assert "http://localhost" not in running.said.text, "nobody is there"


async def test_a_socket_that_a_service_manager_opened_is_served(make: Make, listener: socket.socket) -> None:
    daemon = make()
    arguments = ("serve", "--config", str(daemon.config))
    daemon.running = activated(daemon, listener, *arguments)

    assert (await ask(listener.getsockname()[1], "POST", "/welcome", "Hello")).status == 200
    with socket.socket() as probe:
        assert probe.connect_ex(("127.0.0.1", daemon.port)) != 0, "it stands in place of server.bind"
    assert daemon.stop() == 0
    assert listener.getsockname(), "the manager's own socket stays"


def activated(daemon: Daemon, listener: socket.socket, *arguments: str) -> Running:
    number = str(listener.fileno())
    running = spawn(
        *arguments,
        folder=daemon.folder,
        environment={},
        command=(sys.executable, "-c", ACTIVATE, number),
        pass_fds=[listener.fileno()],
    )
    running.wait_until_it_serves()
    return running


async def test_a_socket_that_a_parent_opened_is_served(make: Make, listener: socket.socket) -> None:
    daemon = make()
    daemon.configure({"server": {"bind": [f"fd://{listener.fileno()}"]}})
    daemon.running = spawn(
        "serve", "--config", str(daemon.config), folder=daemon.folder, environment={}, pass_fds=[listener.fileno()]
    )
    daemon.running.wait_until_it_serves()

    assert (await ask(listener.getsockname()[1], "POST", "/welcome", "Hello")).status == 200
    assert daemon.stop() == 0


def processors(running: Running | None) -> list[set[int]]:
    """Where each thread of a daemon may run."""
    assert running is not None
    return [os.sched_getaffinity(int(task.name)) for task in Path(f"/proc/{running.pid}/task").iterdir()]


def test_the_daemon_stays_on_one_processor_unless_told_not_to(shared: Daemon, make: Make) -> None:
    roaming = make({"server": {"pin_cpu": False}}).start()

    ours = os.sched_getaffinity(0)
    assert all(allowed == {max(ours)} for allowed in processors(shared.running))
    assert all(allowed == ours for allowed in processors(roaming))


async def test_garbage_is_looked_for_while_it_serves(shared: Daemon) -> None:
    async def collections() -> float:
        text = (await ask(shared.port, "GET", "/metrics")).body.decode()
        return float(text.partition('python_gc_collections_total{generation="0"} ')[2].split("\n")[0])

    before = await collections()
    async with connected(shared.port) as wire:
        for number in range(300):
            assert (await wire.ask("POST", "/attic", b"%d" % number)).status == 200

    # Each leaves some dozens of objects that hold one another: with the numbers of a command it would be one at most.
    assert await collections() - before >= 2

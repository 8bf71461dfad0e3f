"""Where the daemon listens, and how it talks to systemd."""

from __future__ import annotations

import os
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest
import trio

from manor.daemon import CannotListen, open_listeners
from manor.daemon.listeners import passed_descriptors
from manor.daemon.systemd import Supervisor
from manor.routing import Reply
from tests.core.web.serving import Client, Serve, route


async def test_a_unix_socket_is_served_and_removed(serve: Serve, tmp_path: Path) -> None:
    path = tmp_path / "http.sock"
    running = await serve(
        route("GET", "/who", lambda request: Reply(f"<{request.head.address}>".encode())), bind=f"unix:{path}"
    )
    assert path.stat().st_mode & 0o777 == 0o660

    async with await trio.open_unix_socket(path) as stream:
        alone = await Client(stream).get("/who")
        behind = await Client(stream).get("/who", headers=["X-Forwarded-For: 203.0.113.9"])
    running.stop.set()
    await running.ended.wait()

    assert (alone.body, behind.body) == (b"<>", b"<203.0.113.9>")
    assert not path.exists()


async def test_connections_over_a_unix_socket_are_not_counted_per_address(serve: Serve, tmp_path: Path) -> None:
    path = tmp_path / "http.sock"
    await serve(bind=f"unix:{path}", limits={"connections_per_address": 1})

    async with await trio.open_unix_socket(path) as one, await trio.open_unix_socket(path) as other:
        assert (await Client(one).get("/hello")).status == 200
        assert (await Client(other).get("/hello")).status == 200


def test_a_socket_that_a_crash_left_behind_is_replaced(tmp_path: Path) -> None:
    path = tmp_path / "http.sock"
    with socket.socket(socket.AF_UNIX) as crashed:
        crashed.bind(str(path))

    listeners = open_listeners([f"unix:{path}"])

    listeners.close()


def test_a_socket_that_somebody_serves_is_left_alone(tmp_path: Path) -> None:
    path = tmp_path / "http.sock"
    with socket.socket(socket.AF_UNIX) as living:
        living.bind(str(path))
        living.listen()

        with pytest.raises(CannotListen, match=r"cannot listen on unix:.*in use"):
            open_listeners([f"unix:{path}"])

    assert path.exists()


def test_an_address_that_is_taken_is_named_and_the_others_are_let_go() -> None:
    with socket.socket() as taken, socket.socket() as free:
        for each in (taken, free):
            each.bind(("127.0.0.1", 0))
        taken.listen()
        address = f"127.0.0.1:{free.getsockname()[1]}"
        free.close()

        with pytest.raises(CannotListen, match="in use"):
            open_listeners([address, f"127.0.0.1:{taken.getsockname()[1]}"])

        open_listeners([address]).close()


def test_a_name_is_every_address_that_it_has() -> None:
    listeners = open_listeners(["localhost:0"])

    assert all(address.startswith(("127.0.0.1:", "[::1]:")) for address in listeners.addresses())

    listeners.close()


async def test_an_inherited_socket_is_served(serve: Serve) -> None:
    parent = socket.socket()
    parent.bind(("127.0.0.1", 0))
    parent.listen()

    running = await serve(bind=f"fd://{parent.detach()}")

    assert (await running.get("/hello")).status == 200


def test_a_descriptor_that_is_no_stream_socket_is_refused() -> None:
    with socket.socket(type=socket.SOCK_DGRAM) as wrong, pytest.raises(CannotListen, match="stream socket"):
        open_listeners([f"fd://{wrong.fileno()}"])


# --- systemd -------------------------------------------------------------------------------------------------------


def test_activated_sockets_stand_in_place_of_addresses() -> None:
    environ = {"LISTEN_FDS": "2", "LISTEN_PID": "7", "LISTEN_FDNAMES": "a:b"}

    assert passed_descriptors(environ, 7) == [3, 4]
    assert environ == {}


@pytest.mark.parametrize(
    "environ", [{}, {"LISTEN_FDS": "2", "LISTEN_PID": "8"}, {"LISTEN_FDS": "x", "LISTEN_PID": "7"}]
)
def test_sockets_of_another_process_are_none_of_ours(environ: dict[str, str]) -> None:
    assert passed_descriptors(environ, 7) == []


@pytest.fixture(params=["path", "abstract"])
def manager(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[tuple[str, socket.socket]]:
    """What stands in `NOTIFY_SOCKET`, and the socket that hears what is told there."""
    name = str(tmp_path / "notify") if request.param == "path" else f"@manor-test-{os.getpid()}"
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as hears:
        hears.bind(name.replace("@", "\0"))
        hears.settimeout(5)
        yield name, hears


def test_the_manager_is_told_how_the_service_is(manager: tuple[str, socket.socket]) -> None:
    name, hears = manager
    supervisor = Supervisor({"NOTIFY_SOCKET": name})

    supervisor.ready("Serving")
    supervisor.reloading()
    supervisor.stopping()

    assert hears.recv(1000) == b"READY=1\nSTATUS=Serving"
    reloading = hears.recv(1000).split(b"\n")
    assert reloading[0] == b"RELOADING=1"
    assert reloading[1].startswith(b"MONOTONIC_USEC=")
    assert hears.recv(1000) == b"STOPPING=1"


async def test_the_watchdog_is_fed_twice_in_its_time(
    manager: tuple[str, socket.socket], autojump_clock: trio.testing.MockClock
) -> None:
    name, hears = manager
    supervisor = Supervisor({"NOTIFY_SOCKET": name, "WATCHDOG_USEC": "20000000"})

    with trio.move_on_after(35):
        await supervisor.feed_watchdog()

    hears.setblocking(False)
    assert [hears.recv(1000) for _ in range(4)] == [b"WATCHDOG=1"] * 4
    with pytest.raises(BlockingIOError):
        hears.recv(1000)


@pytest.mark.parametrize("environ", [{}, {"WATCHDOG_USEC": "20000000", "WATCHDOG_PID": "1"}, {"WATCHDOG_USEC": "x"}])
async def test_a_watchdog_that_watches_nobody_is_not_fed(environ: dict[str, str]) -> None:
    with trio.fail_after(1):
        await Supervisor(environ).feed_watchdog()


def test_a_manager_that_is_gone_is_not_missed(tmp_path: Path) -> None:
    Supervisor({"NOTIFY_SOCKET": str(tmp_path / "nobody")}).ready()
    Supervisor({}).ready()

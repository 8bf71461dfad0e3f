"""A socket's number after the socket: it may be somebody else's by then."""

from __future__ import annotations

import contextlib
import socket as stdlib_socket

import pytest
import trio
import trio.testing

from manor.front.line import Line

settled = trio.testing.wait_all_tasks_blocked


@pytest.fixture
def is_fronted() -> bool:
    """Only the front door's lines are asked for here."""
    return True


def pair() -> tuple[trio.socket.SocketType, stdlib_socket.socket]:
    ours, theirs = stdlib_socket.socketpair()
    theirs.setblocking(False)
    return trio.socket.from_stdlib_socket(ours), theirs


def said_to(theirs: stdlib_socket.socket) -> bytes:
    said = b""
    with contextlib.suppress(BlockingIOError):
        while piece := theirs.recv(65_536):
            said += piece
    return said


@pytest.mark.parametrize("turn", range(8))
async def test_what_waits_for_one_client_never_goes_to_the_next(nursery: trio.Nursery, turn: int) -> None:
    ours, theirs = pair()
    line = Line(ours, 30, nursery.start_soon)
    line.post(b"secret" * 1_000_000)
    await settled()
    number = line.descriptor

    said_to(theirs)
    # The writer goes on in the same turn of the loop as we do here, before us or behind.
    await trio.lowlevel.checkpoint()
    line.cut()
    next_ours, next_theirs = pair()
    await settled()

    with theirs, next_ours, next_theirs:
        assert next_ours.fileno() == number
        assert said_to(next_theirs) == b""


@pytest.mark.parametrize("turn", range(8))
async def test_what_one_client_says_is_never_read_as_anothers(nursery: trio.Nursery, turn: int) -> None:
    ours, theirs = pair()
    line = Line(ours, 30, nursery.start_soon)
    heard: list[bytes] = []

    async def read() -> None:
        heard.append(await line.read())

    nursery.start_soon(read)
    await settled()
    number = line.descriptor
    theirs.send(b"mine")
    await trio.lowlevel.checkpoint()
    line.cut()
    next_ours, next_theirs = pair()
    next_theirs.send(b"another's")
    await settled()

    with theirs, next_ours, next_theirs:
        assert next_ours.fileno() == number
        assert heard in ([b"mine"], [b""])


async def test_a_line_that_is_cut_before_its_writer_begins_writes_nothing(nursery: trio.Nursery) -> None:
    ours, theirs = pair()
    line = Line(ours, 30, nursery.start_soon)
    line.post(b"secret" * 1_000_000)

    line.cut()
    next_ours, next_theirs = pair()
    await settled()

    with theirs, next_ours, next_theirs:
        assert said_to(next_theirs) == b""
    assert not line.is_behind

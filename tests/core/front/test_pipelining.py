"""Requests of one connection that do not wait for each other, and answers that do."""

from __future__ import annotations

import tracemalloc
from typing import Any

import pytest
import trio

from manor.routing import Later, Reply, Request, Route
from tests.core.web.serving import PATIENCE, Count, Running, Serve, route


@pytest.fixture
def is_fronted() -> bool:
    """hypercorn's machines begin no request before the one before it is answered."""
    return True


class Desk:
    """Handlers whose answers a test gives."""

    def __init__(self) -> None:
        self.slots: list[Later] = []
        self.begun = Count()
        self.asked: list[str] = []

    def publish(self, request: Request[bytes, Any]) -> Later:
        slot = Later().map(lambda value: Reply(b"<%s %s>" % (request.body, value)))
        self.asked.append("publish")
        self.slots.append(slot)
        self.begun.increase()
        return slot

    async def read(self, request: Request[Any, Any]) -> Reply:
        self.asked.append("read")
        self.begun.increase()
        await trio.lowlevel.checkpoint()
        return Reply(b"<read>")

    def routes(self, **more: Any) -> tuple[Route, ...]:
        return (
            route("POST", "/publish", self.publish, body=bytes, **more),
            route("GET", "/read", self.read),
        )


def publishing(*bodies: bytes, **headers: str) -> bytes:
    more = "".join(f"{name}: {value}\r\n" for name, value in headers.items()).encode()
    head = b"POST /publish HTTP/1.1\r\nHost: test\r\n" + more
    return b"".join(head + b"Content-Length: %d\r\n\r\n%s" % (len(body), body) for body in bodies)


READING = b"GET /read HTTP/1.1\r\nHost: test\r\n\r\n"


async def answers(running: Running, client: Any, count: int) -> list[bytes]:
    return [(await client.answer()).body for _ in range(count)]


async def test_requests_in_one_segment_are_begun_together_and_answered_in_their_order(serve: Serve) -> None:
    desk = Desk()
    running = await serve(*desk.routes())
    client = await running.connect()

    await client.send(publishing(b"a", b"b", b"c"))
    await desk.begun.passes(3)
    for number in (2, 0, 1):
        desk.slots[number].set(b"kept")

    assert await answers(running, client, 3) == [b"<a kept>", b"<b kept>", b"<c kept>"]


async def test_an_answer_that_is_early_waits_for_those_before_it(serve: Serve) -> None:
    desk = Desk()
    running = await serve(*desk.routes())
    client = await running.connect()

    await client.send(publishing(b"a") + b"GET /hello HTTP/1.1\r\nHost: test\r\n\r\n" + publishing(b"b"))
    await desk.begun.passes(2)
    desk.slots[1].set(b"kept")
    desk.slots[0].set(b"kept")

    assert await answers(running, client, 3) == [b"<a kept>", b"hello", b"<b kept>"]


async def test_who_reads_behind_a_publish_reads_what_it_has_published(serve: Serve) -> None:
    desk = Desk()
    running = await serve(*desk.routes())
    client = await running.connect()

    await client.send(publishing(b"a") + READING)
    await desk.begun.passes(1)
    await trio.testing.wait_all_tasks_blocked()
    before = list(desk.asked)
    desk.slots[0].set(b"kept")

    assert await answers(running, client, 2) == [b"<a kept>", b"<read>"]
    assert (before, desk.asked) == (["publish"], ["publish", "read"])


async def test_so_many_are_under_way_and_no_more(serve: Serve) -> None:
    desk = Desk()
    running = await serve(*desk.routes())
    client = await running.connect()

    await client.send(publishing(*[b"%d" % number for number in range(70)]))
    await desk.begun.passes(64)
    await trio.testing.wait_all_tasks_blocked()
    assert len(desk.slots) == 64
    for slot in desk.slots[:64]:
        slot.set(b"kept")
    await desk.begun.passes(70)
    for slot in desk.slots[64:]:
        slot.set(b"kept")

    assert await answers(running, client, 70) == [b"<%d kept>" % number for number in range(70)]


async def test_a_failed_answer_is_worded_and_takes_no_other_with_it(serve: Serve) -> None:
    desk = Desk()
    running = await serve(*desk.routes())
    client = await running.connect()

    await client.send(publishing(b"a", b"b"))
    await desk.begun.passes(2)
    desk.slots[1].set(b"kept")
    desk.slots[0].fail(RuntimeError("a secret"))
    failed, kept = await client.answer(), await client.answer()

    assert (failed.status, failed.body) == (500, b'{"detail":"Internal server error"}')
    assert (kept.status, kept.body) == (200, b"<b kept>")


async def test_an_answer_that_never_comes_is_a_503_and_means_nothing_for_the_next(serve: Serve) -> None:
    desk = Desk()
    running = await serve(*desk.routes(deadline=0.1))
    client = await running.connect()

    await client.send(publishing(b"a"))
    answer = await client.answer()
    desk.slots[0].set(b"too late")
    await client.send(publishing(b"b"))
    await desk.begun.passes(2)
    desk.slots[1].set(b"kept")

    assert (answer.status, answer.headers.get("connection")) == (503, None)
    assert (await client.answer()).body == b"<b kept>"


async def test_large_answers_that_leave_together_are_held_once(serve: Serve) -> None:
    desk, body, read = Desk(), b"x" * 1_000_000, Count()

    def big(request: Request[Any, Any]) -> Reply:
        read.increase()
        return Reply(body)

    running = await serve(*desk.routes(), route("GET", "/big", big))
    client = await running.connect()

    await client.send(publishing(b"a") + b"GET /big HTTP/1.1\r\nHost: test\r\n\r\n" * 20)
    await read.passes(20)
    tracemalloc.start()
    try:
        desk.slots[0].set(b"kept")
        _, most = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()

    assert most < 1_000_000
    assert [len(answer) for answer in await answers(running, client, 21)] == [8, *[1_000_000] * 20]


async def test_who_stops_sending_still_has_the_answers_that_are_on_their_way(serve: Serve) -> None:
    desk = Desk()
    running = await serve(*desk.routes())
    client = await running.connect()

    await client.send(publishing(b"a"))
    await client.stream.send_eof()
    await desk.begun.passes(1)
    desk.slots[0].set(b"kept")

    assert (await client.answer()).body == b"<a kept>"
    assert await client.rest() == b""


async def test_answers_for_who_has_left_harm_nobody(serve: Serve) -> None:
    desk = Desk()
    running = await serve(*desk.routes())
    gone, here = await running.connect(), await running.connect()

    await gone.send(publishing(b"a"))
    await here.send(publishing(b"b"))
    await desk.begun.passes(2)
    await gone.stream.aclose()
    for slot in desk.slots:
        slot.set(b"kept")

    assert (await here.answer()).body == b"<b kept>"
    with trio.fail_after(PATIENCE):
        await running.connections.reaches(1)


async def test_a_stop_waits_for_what_is_on_its_way_to_disk(serve: Serve) -> None:
    desk = Desk()
    running = await serve(*desk.routes())
    client = await running.connect()

    await client.send(publishing(b"a"))
    await desk.begun.passes(1)
    running.stop.set()
    await trio.testing.wait_all_tasks_blocked()
    desk.slots[0].set(b"kept")

    assert (await client.answer()).body == b"<a kept>"
    assert await client.rest() == b""
    with trio.fail_after(PATIENCE):
        await running.ended.wait()


async def test_the_same_head_again_is_another_request(serve: Serve) -> None:
    running = await serve()
    client = await running.connect()
    head = b"POST /echo HTTP/1.1\r\nHost: test\r\nContent-Length: 3\r\n\r\n"

    await client.send(head + b"one" + head + b"two" + head)
    first = await answers(running, client, 2)
    await client.send(b"thr" + head[:-1])
    third = await client.answer()
    await client.send(head[-1:] + b"fou")

    assert [*first, third.body, (await client.answer()).body] == [b"one", b"two", b"thr", b"fou"]

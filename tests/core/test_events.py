from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager
from typing import Any, ClassVar

import msgspec
import pytest
import structlog
import trio
from structlog.typing import EventDict

from manor.errors import ManorError
from manor.events import LIVE_BOUND, Bus, Delivery, Event, Misfit, Owned, Subscription
from manor.metrics import CoreMetrics, Metrics


class DoorRang(Event, frozen=True):
    name: ClassVar[str] = "doorbell.door_rang"
    door: str
    ring_id: int
    note: str = ""


class DoorOpened(Event, frozen=True):
    name: ClassVar[str] = "doorbell.door_opened"
    door: str


class Heard(msgspec.Struct, frozen=True):
    door: str


@pytest.fixture
def logged() -> Iterator[list[EventDict]]:
    with structlog.testing.capture_logs() as entries:
        yield entries


@asynccontextmanager
async def running(bus: Bus) -> AsyncIterator[None]:
    async with trio.open_nursery() as nursery:
        await nursery.start(bus.run)
        yield
        nursery.cancel_scope.cancel()


def inline(handler: Callable[[Any], None], event: str = DoorRang.name, shape: type[Any] = Heard) -> Subscription[Any]:
    return Subscription(event, shape, handler, delivery=Delivery.INLINE)


async def ignore(event: Any) -> None:
    """Hear and do nothing."""


# --- INLINE


def test_an_inline_handler_that_fails_takes_no_other_with_it() -> None:
    heard: list[str] = []
    faults: list[str] = []
    bus = Bus(on_fault=lambda owner, reason: faults.append(owner))

    def fail(event: Any) -> None:
        raise LookupError(event.door)

    bus.subscribe("a", inline(fail))
    bus.subscribe("b", inline(lambda event: heard.append(event.door)))

    bus.tell_inline([DoorRang("front", 1), DoorRang("attic", 2)])

    assert (heard, faults) == (["front", "attic"], ["a", "a"])


def test_inline_subscribers_are_called_in_commit_order() -> None:
    bus = Bus()
    heard: list[tuple[str, str]] = []
    bus.subscribe("a", inline(lambda event: heard.append(("a", event.door))))
    bus.subscribe("b", inline(lambda event: heard.append(("b", event.door))))

    bus.tell_inline([DoorRang("front", 1), DoorRang("attic", 2)])

    assert heard == [("a", "front"), ("b", "front"), ("a", "attic"), ("b", "attic")]


def test_a_subscriber_gets_only_the_part_it_declared() -> None:
    bus = Bus()
    heard: list[Any] = []
    bus.subscribe("a", inline(heard.append))

    bus.tell_inline([DoorRang("front", 1)])

    assert heard == [Heard("front")]


def test_a_shape_equal_to_the_type_gets_the_event_itself() -> None:
    bus = Bus()
    heard: list[Any] = []
    bus.subscribe("doorbell", inline(heard.append, shape=DoorRang))
    event = DoorRang("front", 1)

    bus.tell_inline([event])

    assert heard[0] is event


def test_an_inline_handler_that_raises_is_named_and_stays_subscribed(logged: list[EventDict]) -> None:
    faults: list[tuple[str, str]] = []
    metrics = CoreMetrics(Metrics())
    bus = Bus(on_fault=lambda owner, reason: faults.append((owner, reason)), metrics=metrics)
    others: list[str] = []

    def broken(event: Heard) -> None:
        raise KeyError(event.door)

    bus.subscribe("clumsy", inline(broken))
    bus.subscribe("sound", inline(lambda event: others.append(event.door)))

    bus.tell_inline([DoorRang("front", 1), DoorRang("attic", 2)])

    reason = "its INLINE handler of doorbell.door_rang failed: KeyError: "
    assert faults == [("clumsy", f"{reason}'front'"), ("clumsy", f"{reason}'attic'")]
    assert others == ["front", "attic"]
    assert [entry["plugin"] for entry in logged] == ["clumsy", "clumsy"]


def test_an_inline_handler_may_not_return_a_coroutine() -> None:
    faults: list[str] = []
    bus = Bus(on_fault=lambda owner, reason: faults.append(reason))
    bus.subscribe("clumsy", inline(lambda event: ignore(event)))  # type: ignore[arg-type]  # the fault itself

    bus.tell_inline([DoorRang("front", 1)])

    assert faults == [
        "its INLINE handler of doorbell.door_rang failed: TypeError: the handler is async: it may not await"
    ]


def test_a_subscriber_removed_while_events_are_told_hears_no_more() -> None:
    bus = Bus(on_fault=lambda owner, reason: bus.remove(owner))
    calls: list[str] = []

    def broken(event: Heard) -> None:
        calls.append(event.door)
        raise ValueError("no")

    bus.subscribe("clumsy", inline(broken))

    bus.tell_inline([DoorRang("front", 1), DoorRang("attic", 2)])

    assert calls == ["front"]


# --- LIVE


async def test_live_events_reach_each_subscription_in_order() -> None:
    bus = Bus()
    send, receive = trio.open_memory_channel[str](10)

    async def slow(event: Heard) -> None:
        await trio.lowlevel.checkpoint()
        await send.send(event.door)

    bus.subscribe("a", Subscription(DoorRang.name, Heard, slow))
    async with running(bus):
        bus.tell_live([DoorRang("front", 1), DoorRang("attic", 2)])
        bus.tell_live([DoorRang("cellar", 3)])

        assert [await receive.receive() for _ in range(3)] == ["front", "attic", "cellar"]


async def test_events_told_before_the_bus_runs_are_not_lost() -> None:
    bus = Bus()
    send, receive = trio.open_memory_channel[Heard](10)
    bus.subscribe("a", Subscription(DoorRang.name, Heard, send.send))
    bus.tell_live([DoorRang("front", 1)])

    async with running(bus):
        assert await receive.receive() == Heard("front")


async def test_a_stuck_live_subscriber_holds_up_nobody_else() -> None:
    bus = Bus()
    send, receive = trio.open_memory_channel[Heard](10)

    async def stuck(event: Heard) -> None:
        await trio.sleep_forever()

    bus.subscribe("a", Subscription(DoorRang.name, Heard, stuck))
    bus.subscribe("b", Subscription(DoorRang.name, Heard, send.send))
    async with running(bus):
        bus.tell_live([DoorRang("front", 1)])
        assert await receive.receive() == Heard("front")


async def test_a_live_handler_that_raises_is_logged_and_hears_the_next(logged: list[EventDict]) -> None:
    bus = Bus()
    send, receive = trio.open_memory_channel[str](10)

    async def moody(event: Heard) -> None:
        if event.door == "front":
            raise OSError("stuck bell")
        await send.send(event.door)

    bus.subscribe("moody", Subscription(DoorRang.name, Heard, moody))
    async with running(bus):
        bus.tell_live([DoorRang("front", 1), DoorRang("attic", 2)])
        assert await receive.receive() == "attic"

    assert [(entry["event"], entry["plugin"], entry["reason"]) for entry in logged] == [
        ("a LIVE handler failed", "moody", "OSError: stuck bell")
    ]


async def test_a_live_handler_that_hangs_is_given_up_and_hears_the_next(
    autojump_clock: trio.testing.MockClock, logged: list[EventDict]
) -> None:
    bus = Bus()
    send, receive = trio.open_memory_channel[str](10)

    async def hangs_once(event: Heard) -> None:
        if event.door == "front":
            await trio.sleep_forever()
        await send.send(event.door)

    bus.subscribe("moody", Subscription(DoorRang.name, Heard, hangs_once))
    async with running(bus):
        bus.tell_live([DoorRang("front", 1), DoorRang("attic", 2)])
        assert await receive.receive() == "attic"

    assert logged[0]["reason"] == "TooSlowError"


async def test_an_overload_drops_the_oldest_and_says_so_once(logged: list[EventDict]) -> None:
    metrics = Metrics()
    bus = Bus(metrics=CoreMetrics(metrics))
    heard: list[int] = []
    done = trio.Event()

    async def note(event: DoorRang) -> None:
        heard.append(event.ring_id)
        if event.ring_id == LIVE_BOUND + 4:
            done.set()

    bus.subscribe("slow", Subscription(DoorRang.name, DoorRang, note))
    bus.tell_live([DoorRang("front", number) for number in range(LIVE_BOUND + 5)])
    async with running(bus):
        await done.wait()
        await trio.testing.wait_all_tasks_blocked()

    assert heard == list(range(5, LIVE_BOUND + 5))
    assert [(entry["plugin"], entry["dropped"]) for entry in logged] == [("slow", 5)]
    assert b'manor_events_dropped_total{event="doorbell.door_rang",plugin="slow"} 5.0' in metrics.render()


async def test_an_overload_without_end_is_told_while_it_lasts(
    autojump_clock: trio.testing.MockClock, logged: list[EventDict]
) -> None:
    bus = Bus()

    async def slow(event: DoorRang) -> None:
        await trio.sleep(3)
        bus.tell_live([event, event])

    bus.subscribe("slow", Subscription(DoorRang.name, DoorRang, slow))
    bus.tell_live([DoorRang("front", number) for number in range(LIVE_BOUND)])
    with trio.move_on_after(31):
        await bus.run()

    assert [entry["dropped"] for entry in logged] == [5, 5]


async def test_a_removed_plugin_hears_nothing_more() -> None:
    bus = Bus()
    heard: list[str] = []
    started, go_on = trio.Event(), trio.Event()

    async def note(event: Heard) -> None:
        started.set()
        await go_on.wait()
        heard.append(event.door)

    bus.declare("doorbell", [DoorRang])
    bus.subscribe("doorbell", Subscription(DoorRang.name, Heard, note))
    bus.subscribe("doorbell", Subscription(DoorRang.name, Heard, ignore, delivery=Delivery.DURABLE))
    async with running(bus):
        bus.tell_live([DoorRang("front", 1)])
        await started.wait()
        bus.remove("doorbell")
        bus.tell_live([DoorRang("attic", 1)])
        go_on.set()
        await trio.testing.wait_all_tasks_blocked()

    assert heard == []
    assert bus.subscriptions() == []
    assert bus.types() == {}


# --- Declarations


def test_an_event_is_declared_by_the_plugin_that_its_name_begins_with() -> None:
    with pytest.raises(ManorError, match=r"'chat' declares the event 'doorbell.door_rang': .* begin with 'chat\.'"):
        Bus().declare("chat", [DoorRang])


def test_an_event_is_declared_once() -> None:
    bus = Bus()
    bus.declare("doorbell", [DoorRang, DoorOpened])
    with pytest.raises(ManorError, match=r"'doorbell.door_rang' is declared twice by 'doorbell'"):
        bus.declare("doorbell", [DoorRang])


def test_an_event_with_renamed_fields_is_refused() -> None:
    class DoorShut(Event, frozen=True, rename="camel"):
        name: ClassVar[str] = "doorbell.door_shut"
        shut_by: str

    with pytest.raises(ManorError, match="renamed fields"):
        Bus().declare("doorbell", [DoorShut])


def test_an_event_must_be_frozen() -> None:
    class DoorShut(msgspec.Struct):
        name: ClassVar[str] = "doorbell.door_shut"

    with pytest.raises(ManorError, match="DoorShut is not frozen"):
        Bus().declare("doorbell", [DoorShut])  # type: ignore[list-item]  # the fault itself


@pytest.mark.parametrize("delivery", [Delivery.LIVE, Delivery.DURABLE])
def test_a_plain_handler_is_refused_where_it_is_awaited(delivery: Delivery) -> None:
    with pytest.raises(ManorError, match=r"'a' hears 'doorbell\.door_rang' .* not async"):
        Bus().subscribe("a", Subscription(DoorRang.name, Heard, lambda event: None, delivery=delivery))


def test_an_async_handler_is_refused_inline() -> None:
    with pytest.raises(ManorError, match="INLINE with an async handler"):
        Bus().subscribe("a", inline(ignore))  # type: ignore[arg-type]  # the fault itself


def test_a_plugin_hears_an_event_durably_once() -> None:
    bus = Bus()
    durable = Subscription(DoorRang.name, Heard, ignore, delivery=Delivery.DURABLE)
    bus.subscribe("a", durable)
    bus.subscribe("b", durable)
    with pytest.raises(ManorError, match=r"'a' hears 'doorbell\.door_rang' DURABLE twice"):
        bus.subscribe("a", durable)

    assert bus.durable_for(DoorRang("front", 1)) == (Owned("a", durable), Owned("b", durable))
    assert bus.durable_for(DoorOpened("front")) == ()


def test_subscriptions_to_undeclared_events_are_unheard_unless_their_plugin_is_disabled() -> None:
    bus = Bus()
    bus.declare("doorbell", [DoorRang])
    for event in (DoorRang.name, "doorbell.door_fell", "chat.posted"):
        bus.subscribe("a", Subscription(event, Heard, ignore))

    assert [owned.subscription.event for owned in bus.unheard()] == ["doorbell.door_fell", "chat.posted"]
    assert [owned.key for owned in bus.unheard(disabled=["chat"])] == ["a:doorbell.door_fell"]


class Misspelt(msgspec.Struct):
    dor: str


class Mistyped(msgspec.Struct):
    ring_id: str


class Strict(msgspec.Struct, forbid_unknown_fields=True):
    door: str


class Renamed(msgspec.Struct, rename={"door": "gate"}):
    door: str


class Lenient(msgspec.Struct):
    ring_id: float
    colour: str = "white"


@pytest.mark.parametrize(
    ("shape", "reason"),
    [
        (Misspelt, "which has no field 'dor'"),
        (Mistyped, "whose field 'ring_id' is int, not str"),
        (Strict, "and its shape Strict forbids the fields that it does not read: events gain fields"),
        (Renamed, "and its shape Renamed renames 'door'"),
        (dict[str, str], "with a shape that is not a struct: dict[str, str]"),
    ],
)
def test_a_shape_that_the_event_cannot_fill_is_its_plugins_fault(shape: Any, reason: str) -> None:
    bus = Bus()
    bus.subscribe("a", Subscription(DoorRang.name, shape, ignore))
    bus.declare("doorbell", [DoorRang])

    assert bus.misfits() == [Misfit("a", f"hears 'doorbell.door_rang', {reason}")]


@pytest.mark.parametrize("shape", [Heard, DoorRang, Lenient])
def test_a_shape_with_some_of_the_fields_fits(shape: type[Any]) -> None:
    bus = Bus()
    bus.declare("doorbell", [DoorRang])
    heard: list[Any] = []
    bus.subscribe("a", inline(heard.append, shape=shape))

    bus.tell_inline([DoorRang("front", 1)])

    assert bus.misfits() == []
    assert [type(event) for event in heard] == [shape]

"""Typed events, told after the commit that made them true, and the bus that tells them."""

from __future__ import annotations

import enum
import inspect
from collections import deque
from collections.abc import Awaitable, Callable, Collection, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from typing import TYPE_CHECKING, Any, ClassVar, Generic

import msgspec
import structlog
import trio
from typing_extensions import TypeVar

from manor.errors import ManorError
from manor.tasks import contained, describe

if TYPE_CHECKING:
    from manor.metrics import CoreMetrics

LIVE_BOUND = 1000
"""Events that wait for one LIVE subscription; with more, the oldest go."""

LIVE_DEADLINE = 30.0
"""Seconds that a LIVE handler has for one event."""

BURST_SECONDS = 10.0
"""An overload that goes on longer than this is told before it ends."""

log = structlog.get_logger("manor.events")


class Event(msgspec.Struct, frozen=True):
    """Something that happened. Subclasses are frozen, past tense, and only ever gain fields.

    `name` is `<plugin>.<what_happened>` and is the promise: a changed meaning is a new event.
    """

    name: ClassVar[str]


class Delivery(enum.Enum):
    """How a subscriber hears an event."""

    INLINE = "inline"
    """Called on the loop, in commit order, before the writer's caller goes on; may not await or raise. For caches."""

    LIVE = "live"
    """Through a bounded queue of its own; under overload the oldest are dropped, and the log says so."""

    DURABLE = "durable"
    """Written in the transaction of the event and delivered at least once, over restarts."""


S = TypeVar("S")
P = TypeVar("P")


@dataclass(frozen=True)
class Subscription(Generic[S]):
    """A plugin's wish to hear an event.

    Args:
        event: The event's name; the plugin that declares it need not be installed.
        shape: The part of the event that the handler reads (a struct with some of its fields).
        handler: A plain function for INLINE, an async one for LIVE and DURABLE.
        delivery: See `Delivery`. A plugin has at most one DURABLE subscription to an event: what waits for it in the
            database is known by these two names, so that a handler may be renamed.
        asked_by: The key of the plugin's table by which the admin asks for it; then it is theirs to mend when it does
            not fit the event.
    """

    event: str
    shape: type[S]
    handler: Callable[[S], Awaitable[None] | None]
    delivery: Delivery = Delivery.LIVE
    asked_by: str = ""


@dataclass(frozen=True)
class Owned:
    """A subscription with the plugin that made it."""

    owner: str
    subscription: Subscription[Any]

    @property
    def key(self) -> str:
        """Names the subscription in logs and the outbox: stable over restarts."""
        return f"{self.owner}:{self.subscription.event}"


@dataclass(frozen=True)
class Job(Generic[P]):
    """A kind of deferred work: what `transaction.defer` takes and a `JobHandler` does.

    Args:
        name: `<plugin>.<verb>`; stays the same for ever, because rows in the database carry it.
        payload: A struct, kept as JSON; like events it only ever gains fields, with defaults.
        attempts: How often it is tried before it becomes a dead letter.
        deadline: Seconds for one attempt.
        backoff: Seconds until the second attempt; doubled for each further one, at most an hour.
        pauses: Seconds until each further attempt, where `attempts` and `backoff` do not fit: it is tried once more
            than there are pauses.
    """

    name: str
    payload: type[P]
    attempts: int = field(default=8, kw_only=True)
    deadline: float = field(default=30.0, kw_only=True)
    backoff: float = field(default=5.0, kw_only=True)
    pauses: tuple[float, ...] = field(default=(), kw_only=True)


@dataclass(frozen=True)
class Misfit:
    """A subscription whose shape the event cannot fill: the fault of the plugin, or of the admin who asked for it."""

    owner: str
    reason: str
    asked_by: str = ""


def _nobody_is_told(owner: str, reason: str) -> None:
    """For a bus without a house around it."""


class Bus:
    """Tells events to those who subscribed: INLINE and LIVE by itself, DURABLE through the outbox.

    Args:
        on_fault: Called with a plugin's name and a sentence whenever its INLINE handler broke the rules.
        metrics: Where dropped events are counted.
    """

    def __init__(
        self, *, on_fault: Callable[[str, str], None] = _nobody_is_told, metrics: CoreMetrics | None = None
    ) -> None:
        self._on_fault = on_fault
        self._metrics = metrics
        self._types: dict[str, tuple[str, type[Event]]] = {}
        self._inline: dict[str, tuple[Owned, ...]] = {}
        self._live: dict[str, tuple[_LiveQueue, ...]] = {}
        # Read by the writer's thread while the loop may change it: values are replaced, never changed.
        self._durable: dict[str, tuple[Owned, ...]] = {}
        self._nursery: trio.Nursery | None = None

    def declare(self, owner: str, types: Sequence[type[Event]]) -> None:
        """Make event types known.

        Raises:
            ManorError: A name is not the plugin's to give, is declared already, or the type is no promise (not
                frozen, fields renamed).
        """
        for kind in types:
            name = getattr(kind, "name", "")
            if not name.startswith(f"{owner}."):
                raise ManorError(f"'{owner}' declares the event '{name}': its name must begin with '{owner}.'")
            if name in self._types:
                raise ManorError(f"the event '{name}' is declared twice by '{owner}'")
            if not kind.__struct_config__.frozen:
                raise ManorError(f"'{owner}' declares the event '{name}', whose type {kind.__name__} is not frozen")
            if kind.__struct_fields__ != kind.__struct_encode_fields__:
                raise ManorError(
                    f"'{owner}' declares the event '{name}' with renamed fields: subscribers read the names"
                )
            self._types[name] = (owner, kind)

    def subscribe(self, owner: str, subscription: Subscription[Any]) -> None:
        """Add a subscription; one that is LIVE is heard once `run` is running.

        Raises:
            ManorError: The handler is async where it must not be, or the other way round, or a second DURABLE one
                hears the same event.
        """
        owned = Owned(owner, subscription)
        event = subscription.event
        is_async = _is_async(subscription.handler)
        match subscription.delivery:
            case Delivery.INLINE:
                if is_async:
                    raise ManorError(f"'{owner}' hears '{event}' INLINE with an async handler: it may not await")
                self._inline[event] = (*self._inline.get(event, ()), owned)
            case Delivery.LIVE:
                if not is_async:
                    raise ManorError(f"'{owner}' hears '{event}' LIVE with a handler that is not async")
                queue = _LiveQueue(owned, self._metrics)
                self._live[event] = (*self._live.get(event, ()), queue)
                if self._nursery is not None:
                    self._nursery.start_soon(queue.run)
            case Delivery.DURABLE:
                if not is_async:
                    raise ManorError(f"'{owner}' hears '{event}' DURABLE with a handler that is not async")
                if any(other.owner == owner for other in self._durable.get(event, ())):
                    raise ManorError(f"'{owner}' hears '{event}' DURABLE twice: one handler may do both")
                self._durable[event] = (*self._durable.get(event, ()), owned)

    def remove(self, owner: str) -> None:
        """Forget a quarantined plugin's subscriptions and event types; what waits in its LIVE queues is dropped."""
        self._types = {name: declared for name, declared in self._types.items() if declared[0] != owner}
        for table in (self._inline, self._durable):
            for event, all_owned in list(table.items()):
                table[event] = tuple(owned for owned in all_owned if owned.owner != owner)
        for event, queues in list(self._live.items()):
            for queue in queues:
                if queue.owned.owner == owner:
                    queue.stop()
            self._live[event] = tuple(queue for queue in queues if queue.owned.owner != owner)

    def types(self) -> dict[str, tuple[str, type[Event]]]:
        """The declared events by name, each with its owner: for docs and checks."""
        return dict(self._types)

    def subscriptions(self) -> list[Owned]:
        """Everyone's subscriptions."""
        queues = (queue for queues in self._live.values() for queue in queues)
        plain = (
            owned for table in (self._inline, self._durable) for all_owned in table.values() for owned in all_owned
        )
        return [*plain, *(queue.owned for queue in queues)]

    def unheard(self, *, disabled: Collection[str] = ()) -> list[Owned]:
        """Subscriptions to events that nobody declares; those of `disabled` plugins would be, and are left out."""
        return [
            owned
            for owned in self.subscriptions()
            if owned.subscription.event not in self._types
            and owned.subscription.event.partition(".")[0] not in disabled
        ]

    def misfits(self) -> list[Misfit]:
        """Subscriptions whose shape the declared event cannot fill; asked once all plugins have declared."""
        found = []
        for owned in self.subscriptions():
            subscription = owned.subscription
            declared = self._types.get(subscription.event)
            shape: Any = subscription.shape
            if declared is not None and (reason := _misfit(shape, declared[1])):
                found.append(Misfit(owned.owner, f"hears '{subscription.event}', {reason}", subscription.asked_by))
        return found

    def durable_for(self, event: Event) -> Sequence[Owned]:
        """Who hears this event DURABLE. Safe on the writer's thread."""
        return self._durable.get(event.name, ())

    def durable_of(self, owner: str, event: str) -> Subscription[Any] | None:
        """A plugin's DURABLE subscription to an event."""
        return next((each.subscription for each in self._durable.get(event, ()) if each.owner == owner), None)

    def durable(self) -> list[Owned]:
        """All DURABLE subscriptions: for the outbox."""
        return [owned for all_owned in self._durable.values() for owned in all_owned]

    def tell_inline(self, events: Sequence[Event]) -> None:
        """Call the INLINE subscribers, event by event. On the loop, in commit order; never raises."""
        calls = ((owned, event) for event in events for owned in self._inline.get(event.name, ()))
        is_over = False
        while not is_over:
            called: list[Owned] = []
            with contained(self._broke, called):
                # One guard for all of them; behind one that failed it goes on with the next.
                for owned, event in calls:
                    called[:] = (owned,)
                    result = owned.subscription.handler(_shaped(event, owned.subscription.shape))
                    if result is not None and inspect.iscoroutine(result):
                        result.close()
                        raise TypeError("the handler is async: it may not await")
                is_over = True

    def tell_live(self, events: Sequence[Event]) -> None:
        """Queue the events for the LIVE subscribers. On the loop; never raises, never waits."""
        for event in events:
            for queue in self._live.get(event.name, ()):
                queue.put(event)

    async def run(self, *, task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED) -> None:
        """Drive the LIVE queues until cancelled. What was told before waits in them, as far as they hold it."""
        async with trio.open_nursery() as nursery:
            self._nursery = nursery
            try:
                for queues in self._live.values():
                    for queue in queues:
                        nursery.start_soon(queue.run)
                task_status.started()
                await trio.sleep_forever()
            finally:
                self._nursery = None

    def _broke(self, error: Exception, called: Sequence[Owned]) -> None:
        owned = called[0]
        event, reason = owned.subscription.event, describe(error)
        log.error("an INLINE handler failed", plugin=owned.owner, heard=event, reason=reason, exc_info=error)
        if self._metrics is not None:
            self._metrics.inline_faults.labels(owned.owner, event).inc()
        self._on_fault(owned.owner, f"its INLINE handler of {event} failed: {reason}")


class _LiveQueue:
    """What waits for one LIVE subscription, and the task that hands it over, one event after the other."""

    def __init__(self, owned: Owned, metrics: CoreMetrics | None) -> None:
        self.owned = owned
        self._metrics = metrics
        self._waiting: deque[Event] = deque()
        self._something = trio.Event()
        self._scope = trio.CancelScope()
        self._dropped = 0
        self._dropping_since = 0.0

    def put(self, event: Event) -> None:
        if len(self._waiting) >= LIVE_BOUND:
            self._waiting.popleft()
            if not self._dropped:
                self._dropping_since = trio.current_time()
            self._dropped += 1
            if self._metrics is not None:
                self._metrics.events_dropped.labels(self.owned.owner, self.owned.subscription.event).inc()
        self._waiting.append(event)
        self._something.set()

    def stop(self) -> None:
        self._scope.cancel()

    async def run(self) -> None:
        with self._scope:
            while True:
                while self._waiting:
                    await self._hand_over(self._waiting.popleft())
                    self._tell_of_drops()
                self._something = trio.Event()
                await self._something.wait()

    async def _hand_over(self, event: Event) -> None:
        subscription = self.owned.subscription
        with contained(self._failed), trio.fail_after(LIVE_DEADLINE):
            waits = subscription.handler(_shaped(event, subscription.shape))
            assert waits is not None, "subscribe() takes only async handlers here"
            await waits

    def _failed(self, error: Exception) -> None:
        log.error(
            "a LIVE handler failed",
            plugin=self.owned.owner,
            heard=self.owned.subscription.event,
            reason=describe(error),
            exc_info=error,
        )

    def _tell_of_drops(self) -> None:
        if not self._dropped:
            return
        if self._waiting and trio.current_time() - self._dropping_since < BURST_SECONDS:
            return
        log.warning(
            "a LIVE subscriber is too slow: the oldest events were dropped",
            plugin=self.owned.owner,
            heard=self.owned.subscription.event,
            dropped=self._dropped,
        )
        self._dropped = 0


def _is_async(handler: Callable[..., Any]) -> bool:
    return inspect.iscoroutinefunction(handler) or inspect.iscoroutinefunction(getattr(handler, "__call__", None))  # noqa: B004


def _shaped(event: Event, shape: type[Any]) -> Any:
    return event if type(event) is shape else msgspec.convert(event, shape, from_attributes=True)


_SCALARS = (bool, bytes, float, int, str)


@lru_cache(maxsize=1024)
def _misfit(shape: type[Any], kind: type[Event]) -> str | None:
    """What of the shape the event cannot fill, or None; of the types only plain ones are compared."""
    if shape is kind:
        return None
    if not (inspect.isclass(shape) and issubclass(shape, msgspec.Struct)):
        return f"with a shape that is not a struct: {shape!r}"
    if shape.__struct_config__.forbid_unknown_fields:
        return f"and its shape {shape.__name__} forbids the fields that it does not read: events gain fields"
    told = {member.name: member.type for member in msgspec.structs.fields(kind)}
    for member in msgspec.structs.fields(shape):
        if member.name != member.encode_name:
            return f"and its shape {shape.__name__} renames '{member.name}'"
        if member.name not in told:
            if member.required:
                return f"which has no field '{member.name}'"
            continue
        theirs, ours = told[member.name], member.type
        is_plain = theirs in _SCALARS and ours in _SCALARS
        if is_plain and theirs is not ours and (theirs, ours) != (int, float):
            return f"whose field '{member.name}' is {theirs.__name__}, not {ours.__name__}"
    return None

"""Typed events, told after the commit that made them true."""

from __future__ import annotations

import enum
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any, ClassVar, Generic

import msgspec
from typing_extensions import TypeVar


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


@dataclass(frozen=True)
class Subscription(Generic[S]):
    """A plugin's wish to hear an event.

    Args:
        event: The event's name; the plugin that declares it need not be installed.
        shape: The part of the event that the handler reads (a struct with some of its fields).
        handler: A plain function for INLINE, an async one for LIVE and DURABLE.
        delivery: See `Delivery`.
    """

    event: str
    shape: type[S]
    handler: Callable[[S], Awaitable[None] | None]
    delivery: Delivery = Delivery.LIVE


@dataclass(frozen=True)
class Owned:
    """A subscription with the plugin that made it."""

    owner: str
    subscription: Subscription[Any]

    @property
    def key(self) -> str:
        """Names the subscription in the outbox: stable over restarts."""
        handler = self.subscription.handler
        return f"{self.owner}:{getattr(handler, '__qualname__', type(handler).__qualname__)}"

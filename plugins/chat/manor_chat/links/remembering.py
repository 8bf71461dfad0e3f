"""What was found out lately, within a bound."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable
from typing import Generic, TypeVar

import trio

T = TypeVar("T")


class Remembered(Generic[T]):
    """Values by address, the oldest of which are forgotten first.

    Args:
        seconds: For how long.
        room: How much there may be in all.
        weigh: How much a value is.
    """

    def __init__(self, *, seconds: float, room: int, weigh: Callable[[T], int] = lambda value: 1) -> None:
        self._seconds = seconds
        self._room = room
        self._weigh = weigh
        self._weight = 0
        self._values: OrderedDict[str, tuple[float, int, T]] = OrderedDict()

    def get(self, address: str) -> T | None:
        """What is known of it."""
        found = self._values.get(address)
        if found is None or found[0] < trio.current_time():
            return None
        return found[2]

    def keep(self, address: str, value: T) -> None:
        """Know it from here on."""
        weight = self._weigh(value)
        self._forget(address)
        self._values[address] = (trio.current_time() + self._seconds, weight, value)
        self._weight += weight
        while self._weight > self._room:
            self._forget(next(iter(self._values)))

    def _forget(self, address: str) -> None:
        found = self._values.pop(address, None)
        if found is not None:
            self._weight -= found[1]

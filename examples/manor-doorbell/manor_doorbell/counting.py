"""Rings counted for `/metrics`: a subscriber, as any other plugin could be one."""

import msgspec
from manor import Metrics


class Heard(msgspec.Struct, frozen=True):
    """What is read of `doorbell.door_rang`; a subscriber writes down no more than it needs."""

    door: str


class Tally:
    """Counts rings by door."""

    def __init__(self, metrics: Metrics) -> None:
        self._rings = metrics.counter("rings", "Rings since the start, by door.", ["door"])

    async def count(self, heard: Heard) -> None:
        """One more."""
        self._rings.labels(heard.door).inc()

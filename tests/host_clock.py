"""Time that jumps, but only once a house is open: what a plugin starts with may wait for more than the clock."""

from __future__ import annotations

import math
from collections.abc import Iterator
from contextlib import contextmanager

from trio.testing import MockClock


@contextmanager
def jumping(clock: MockClock) -> Iterator[None]:
    """Let the clock go on to the next deadline whenever nobody has anything to do."""
    clock.autojump_threshold = 0
    try:
        yield
    finally:
        clock.autojump_threshold = math.inf

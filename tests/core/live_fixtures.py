"""A service that tells, and a channel of it, for tests that import them."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest
import trio

from manor.live import Channel, LiveService


@pytest.fixture
async def live() -> AsyncIterator[LiveService]:
    live = LiveService()
    async with trio.open_nursery() as nursery:
        await nursery.start(live.run)
        yield live
        nursery.cancel_scope.cancel()


@pytest.fixture
async def hall(live: LiveService) -> Channel:
    return live.channel("hall")

"""Making what a house has before a daemon opens it."""

from __future__ import annotations

import os
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import TypeVar

import trio

from manor import logs
from manor.config import load
from manor.house import House, open_house

T = TypeVar("T")


def furnish(config: Path, work: Callable[[House], Awaitable[T]]) -> T:
    """Do some work in a house that nobody serves; it is closed again with it.

    Args:
        config: Of the house.
        work: Makes what it has.
    """
    logs.configure("error", is_journal=False)  # that many rows in one transaction take long is no news here
    return trio.run(_furnish, config, work)


async def _furnish(config: Path, work: Callable[[House], Awaitable[T]]) -> T:
    async with open_house(load(config, os.environ), serve=False) as house:
        return await work(house)

"""Supervised tasks: each has a parent, a back-off, and an end that is told."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class BackgroundTask:
    """Something a plugin does all day.

    Args:
        name: Names it in logs and `/readyz`; unique within its plugin.
        run: An async function. Returning ends the task for good; raising has it tried again after 1, 2, 4 … 60
            seconds. With `ready` it takes `task_status`, and the house is not ready before `started()` is called.
        ready: Whether the house waits for `task_status.started()`.
    """

    name: str
    run: Callable[..., Awaitable[Any]]
    ready: bool = False

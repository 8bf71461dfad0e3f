"""For the tests of anyone's plugin: a house in the test's own process, and clients that ask it.

The fixtures `house`, `client`, `heard` and `clock` come with the installation; see `manor.testing.fixtures`. Imported
when used, for pytest loads this package in every project beside which Manor is installed.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from manor.clock import SetClock as SetClock
    from manor.house import House as House
    from manor.testing.client import Answer as Answer
    from manor.testing.client import Client as Client
    from manor.testing.client import NotAStream as NotAStream
    from manor.testing.houses import open_test_house as open_test_house
    from manor.testing.streams import Socket as Socket
    from manor.testing.streams import SseEvent as SseEvent
    from manor.testing.streams import SseStream as SseStream

_EXPORTS = {
    "Answer": "manor.testing.client",
    "Client": "manor.testing.client",
    "House": "manor.house",
    "NotAStream": "manor.testing.client",
    "SetClock": "manor.clock",
    "Socket": "manor.testing.streams",
    "SseEvent": "manor.testing.streams",
    "SseStream": "manor.testing.streams",
    "open_test_house": "manor.testing.houses",
}

__all__ = sorted(_EXPORTS)  # noqa: PLE0605 - a list, made of the table above


def __getattr__(name: str) -> Any:
    if name not in _EXPORTS:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(_EXPORTS[name]), name)

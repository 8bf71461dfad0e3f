"""What is wrong with a route by itself: told at the start, before it can be matched."""

from __future__ import annotations

import inspect
import re
from collections.abc import Sequence
from functools import lru_cache

from manor.bodies import type_faults
from manor.routing import Door, Route, Upgrade

PARAMETER = re.compile(r"\{([a-z][a-z0-9_]*)\}")
"""A parameter of a path: a whole segment."""

_METHOD = re.compile(r"[A-Z]{3,}")
_HEADER = re.compile(r"[!#$%&'*+\-.^_`|~0-9A-Za-z]+")
_ERRORS = range(400, 600)


def route_faults(route: Route) -> list[str]:
    """What is wrong with one route by itself; each a sentence that names it."""
    name = f"{route.method} {route.path}"
    faults = list(_line_faults(route.method, route.path))
    if not route.path.startswith("/"):
        return faults
    parameters = PARAMETER.findall(route.path) if route.values else ()
    faults += [
        f"{name}: values for {word!r}, which is no parameter of it" for word in route.values if word not in parameters
    ]
    faults += [f"{name}: {header!r} is no header's name" for header in route.headers if not _HEADER.fullmatch(header)]
    faults += [f"{name}: errors= names {status}, which is no error" for status in route.errors if status not in _ERRORS]
    if not callable(getattr(route.access, "allows", None)):
        faults.append(f"{name}: no access= rule; openness is said aloud (PUBLIC)")
    if route.websocket is not Upgrade.NO and route.method != "GET":
        faults.append(f"{name}: a WebSocket handshake is a GET")
    if route.door is Door.AT_ONCE and not _fits_at_once(route):
        faults.append(f"{name}: what is answered at once is a public GET without credentials, by a plain function")
    if route.deadline <= 0:
        faults.append(f"{name}: the deadline is not positive")
    if route.api.bad_value_status not in (400, 422):
        faults.append(f"{name}: bad_value_status of {route.api.name!r} is neither 400 nor 422")
    return [*faults, *(f"{name}: {fault}" for fault in type_faults(route))]


@lru_cache(maxsize=4096)
def _line_faults(method: str, path: str) -> tuple[str, ...]:
    """What is wrong with a method and a path."""
    name = f"{method} {path}"
    faults: list[str] = []
    if method in ("HEAD", "OPTIONS"):
        faults.append(f"{name}: HEAD is answered from GET and OPTIONS from the table; neither is declared")
    elif not _METHOD.fullmatch(method):
        faults.append(f"{name}: the method is not an upper-case word")
    if not path.startswith("/"):
        return (*faults, f"{name}: the path does not begin with a slash")
    faults += [
        f"{name}: a parameter is a whole segment such as {{topic}}, not {segment!r}"
        for segment in path[1:].split("/")
        if not PARAMETER.fullmatch(segment) and ("{" in segment or "}" in segment)
    ]
    faults += [f"{name}: two parameters are called {word!r}" for word in _twice(PARAMETER.findall(path))]
    if any(segment == "" for segment in path[1:].split("/")[:-1]):
        faults.append(f"{name}: an empty segment")
    return tuple(faults)


def _fits_at_once(route: Route) -> bool:
    asks_nothing = route.body is None and route.websocket is Upgrade.NO and not (route.api.places or route.places)
    is_plain = route.method == "GET" and not inspect.iscoroutinefunction(route.handler)
    return asks_nothing and is_plain and bool(getattr(route.access, "is_public", False))


def _twice(words: Sequence[str]) -> list[str]:
    return sorted({word for word in words if words.count(word) > 1})

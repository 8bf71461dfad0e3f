"""What the operations have in common: who comes in, how often, and how errors look."""

from __future__ import annotations

import functools
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from typing import Any

import msgspec

from manor import (
    SELFPRIVACY,
    Api,
    BadRequest,
    Conflict,
    FieldProblem,
    Kinds,
    NotFound,
    Rate,
    Refused,
    Reply,
    Request,
    Unavailable,
)
from manor_hostservices.refusals import Conflicting, Failed, HostRefusal, Invalid, Missing, NotHere, Unconfigured

DEVICE = "device"
"""The kind of credential that a phone has; the plugin `auth` lets phones in."""

NO_STORE = {"Cache-Control": "no-store"}
"""Some GETs change the host: no answer may come from a cache."""

OPEN_API = Api("host version", SELFPRIVACY, places=(), anonymous_rate=Rate(300), headers=NO_STORE)
"""What everybody may ask."""

HOST_API = Api(
    "host",
    SELFPRIVACY,
    kinds=frozenset({DEVICE}),
    anonymous_rate=Rate(60),
    signed_in_rate=Rate(600),
    prefixes=("/services", "/system", "/users", "/api/host"),
    headers=NO_STORE,
    credential_first=True,
    bad_value_status=400,
    missing_credential="Missing Authorization header",
    bad_credential="Invalid token",
)
"""What devices may ask, and nobody else: a browser's cookie opens none of it."""

ONLY_DEVICES = Kinds(DEVICE)

CHANGE_SECONDS = 340.0
"""For a change of what runs here: as long as the root helper may take. Else "try again" is told of what goes on."""

_STATUS: dict[type[HostRefusal], type[Refused]] = {
    Invalid: BadRequest,
    Missing: NotFound,
    Conflicting: Conflict,
    NotHere: Unavailable,
    Unconfigured: Unavailable,
    Failed: Unavailable,
}


@contextmanager
def told() -> Iterator[None]:
    """Tell the caller what the host refuses within."""
    try:
        yield
    except HostRefusal as refusal:
        raise _STATUS[type(refusal)](refusal.detail) from refusal


def said(value: Any) -> Reply:
    """An answer that is one JSON value, such as a sentence or a list of names."""
    return Reply(msgspec.json.encode(value))


def beginning(handler: Callable[[Request], Awaitable[Any]]) -> Callable[[Request], Awaitable[Any]]:
    """Have a GET that begins something do so only when it is asked for by GET: HEAD only looks."""

    @functools.wraps(handler)
    async def begun(request: Request) -> Any:
        return said(None) if request.head.method == "HEAD" else await handler(request)

    return begun


def missing_fields(*names: str) -> BadRequest:
    """The refusal of a body without these members: `{"message": {name: text}}`."""
    return BadRequest("Missing fields", errors=[FieldProblem(name, "is missing") for name in names])

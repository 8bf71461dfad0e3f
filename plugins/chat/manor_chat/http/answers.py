"""Answers as the API gives them."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from typing import Any

import msgspec

from manor import Reply, Request

STATUS_OK = Reply(b'{"status":"OK"}')
"""What operations answer that have nothing else to say."""


def answer(value: Any, status: int = 200, headers: Mapping[str, str] | None = None) -> Reply:
    """Anything that JSON has."""
    return Reply(msgspec.json.encode(value), status, headers=headers or {})


def etagged(request: Request[Any, Any], value: Any, headers: Mapping[str, str] | None = None) -> Reply:
    """The same with an entity tag; 304 when that is what the client has."""
    body = msgspec.json.encode(value)
    tag = f'"{hashlib.blake2b(body, digest_size=12).hexdigest()}"'
    named = {**(headers or {}), "ETag": tag}
    if is_known(request, tag):
        return Reply(b"", 304, "", named)
    return Reply(body, headers=named)


def is_known(request: Request[Any, Any], tag: str) -> bool:
    """Whether the client has what has this entity tag."""
    known = request.headers.get("if-none-match") or ""
    return tag in (each.strip().removeprefix("W/") for each in known.split(","))

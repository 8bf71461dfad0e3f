"""Errors as ntfy's clients read them: our own, and beside it a number, the status and the sentence once more."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import msgspec

from manor import DETAIL, Dialect, ErrorContext, Refused, Rendered

_BY_FIELD = {
    "email": 40001,
    "delay": 40004,
    "priority": 40007,
    "since": 40008,
    "topic": 40009,
    "message": 40011,
    "attach": 40013,
    "filename": 40014,
    "actions": 40018,
    "icon": 40021,
}
"""Of the member that was wrong."""

_BY_STATUS = {400: 40024, 413: 41301, 415: 40014, 422: 40000}
"""Where it is not the status with 01 behind it: 40024 is a body that is no JSON."""


def ntfy_code(refused: Refused) -> int:
    """The number for a program."""
    for problem in refused.errors:
        if problem.field in _BY_FIELD:
            return _BY_FIELD[problem.field]
    return _BY_STATUS.get(refused.status, refused.status * 100 + 1)


def _render(refused: Refused, context: ErrorContext) -> Rendered:
    rendered = DETAIL.render(refused, context)
    body: dict[str, Any] = msgspec.json.decode(rendered.body)
    body |= {"code": ntfy_code(refused), "http": rendered.status, "error": refused.detail}
    return replace(rendered, body=msgspec.json.encode(body))


NTFY_ERRORS = Dialect(
    "ntfy",
    "application/json",
    _render,
    {
        **DETAIL.schema,
        "properties": {
            **DETAIL.schema["properties"],
            "code": {"type": "integer"},
            "http": {"type": "integer"},
            "error": {"type": "string"},
        },
        "required": ["detail", "code", "http", "error"],
    },
)
"""`{"detail", "code", "http", "error"}`: what only ntfy has, at `/` and below `/ntfy`."""

"""How each API words an error: pure renderers from a refusal to an answer."""

from __future__ import annotations

import base64
import hashlib
import html
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import quote

import msgspec

from manor.errors import Refused


@dataclass(frozen=True)
class ErrorContext:
    """What a dialect may say besides the refusal itself.

    Args:
        request_id: The request's id.
        path: What was asked for.
        back: The path, with its query, that somebody goes on with once they have signed in.
    """

    request_id: str = ""
    path: str = "/"
    back: str = "/"


@dataclass(frozen=True)
class Rendered:
    """An error as it goes out; the status is the refusal's own but where a dialect answers otherwise, and the content
    type is the dialect's where it says no other.
    """

    status: int
    body: bytes
    headers: Mapping[str, str] = field(default_factory=dict)
    content_type: str = ""


@dataclass(frozen=True)
class Dialect:
    """A way of wording errors.

    Args:
        name: For docs and `manor routes`.
        content_type: Of the body.
        render: Makes the answer; pure.
        schema: The body as JSON Schema, for OpenAPI.
    """

    name: str
    content_type: str
    render: Callable[[Refused, ErrorContext], Rendered]
    schema: Mapping[str, Any] = field(default_factory=dict)


def _object(properties: Mapping[str, Any], *optional: str) -> dict[str, Any]:
    required = [name for name in properties if name not in optional]
    return {"type": "object", "properties": dict(properties), "required": required}


_TEXT = {"type": "string"}
_FIELD_PROBLEMS = {"type": "array", "items": _object({"field": _TEXT, "message": _TEXT})}


def _json(refused: Refused, body: dict[str, Any]) -> Rendered:
    return Rendered(refused.status, msgspec.json.encode(body | refused.extra))


def _detail(refused: Refused, context: ErrorContext) -> Rendered:
    body: dict[str, Any] = {"detail": refused.detail}
    if refused.errors:
        body["errors"] = refused.errors
    return _json(refused, body)


_MATTERMOST_IDS = {
    400: "api.context.invalid_body_param.app_error",
    401: "api.context.session_expired.app_error",
    403: "api.context.permissions.app_error",
    404: "api.context.404.app_error",
    405: "api.context.404.app_error",
    413: "api.file.upload_file.too_large_detailed.app_error",
}


def _mattermost(refused: Refused, context: ErrorContext) -> Rendered:
    if refused.status == 429 and not refused.code:
        # Rates are counted in front of the API, by something that does not speak it.
        return Rendered(429, b"limit exceeded", content_type="text/plain")
    body = {
        "id": refused.code or _MATTERMOST_IDS.get(refused.status, "api.context.error.app_error"),
        "message": refused.detail,
        "detailed_error": "",
        "request_id": context.request_id,
        "status_code": refused.status,
        "is_oauth": False,
    }
    return _json(refused, body)


def _basic_response(refused: Refused, context: ErrorContext) -> Rendered:
    return _json(refused, {"success": False, "message": refused.detail})


def _selfprivacy(refused: Refused, context: ErrorContext) -> Rendered:
    if refused.errors and not refused.code:
        return _json(refused, {"message": {problem.field or "body": problem.message for problem in refused.errors}})
    return _json(refused, {refused.code or "error": refused.detail})


_STYLE = (
    ":root{color-scheme:light dark}body{font:1.05rem/1.5 system-ui,sans-serif;max-width:34rem;margin:4rem auto;"
    "padding:0 1rem}h1{font-size:1.4rem}"
)
_STYLE_DIGEST = base64.b64encode(hashlib.sha256(_STYLE.encode()).digest()).decode()
"""The page says what went wrong even when static files are what did: it needs nothing else, and allows nothing else."""


def _page(refused: Refused, context: ErrorContext) -> Rendered:
    if refused.status == 401:
        return Rendered(302, b"", {"Location": f"/login?next={quote(context.back, safe='')}"})
    text = html.escape(refused.detail)
    body = (
        f'<!doctype html><html lang="en"><meta charset="utf-8"><title>{text}</title>'
        f'<meta name="viewport" content="width=device-width"><style>{_STYLE}</style>'
        f'<main><h1>{text}</h1><p><a href="/">Back to the start</a></p></main></html>'
    )
    policy = f"default-src 'none'; style-src 'sha256-{_STYLE_DIGEST}'; frame-ancestors 'none'; base-uri 'none'"
    return Rendered(refused.status, body.encode(), {"Content-Security-Policy": policy})


DETAIL = Dialect("detail", "application/json", _detail, _object({"detail": _TEXT, "errors": _FIELD_PROBLEMS}, "errors"))
"""`{"detail": str}`: the Notifer API, and every path that belongs to no other."""

MATTERMOST = Dialect(
    "mattermost",
    "application/json",
    _mattermost,
    _object(
        {
            **dict.fromkeys(("id", "message", "detailed_error", "request_id"), _TEXT),
            "status_code": {"type": "integer"},
            "is_oauth": {"type": "boolean"},
        }
    ),
)
"""`{id, message, detailed_error, request_id, status_code, is_oauth}`: the Mattermost API v4."""

BASIC_RESPONSE = Dialect(
    "basic_response",
    "application/json",
    _basic_response,
    _object({"success": {"type": "boolean"}, "message": _TEXT}),
)
"""`{"success": false, "message": str}`: the Owncast API."""

SELFPRIVACY = Dialect(
    "selfprivacy",
    "application/json",
    _selfprivacy,
    {
        "type": "object",
        "additionalProperties": {"anyOf": [_TEXT, {"type": "object", "additionalProperties": _TEXT}]},
    },
)
"""`{"error": str}`, or the member that the refusal's code names; what is wrong with a body's members stands in an
object, `{"message": {field: str}}`: the SelfPrivacy REST API."""

PAGE = Dialect("page", "text/html; charset=utf-8", _page, _TEXT)
"""A page for people; 401 goes to the sign-in page and comes back."""

"""What Gotify's routes have in common."""

from __future__ import annotations

from dataclasses import replace
from http import HTTPStatus

import msgspec

from manor import DETAIL, Api, Bearer, Dialect, ErrorContext, Header, Query, RateHeaders, Refused, Rendered
from manor_topics.http.api import PUBLISHING
from manor_topics.rights import TOPIC_TOKEN


def _render(refused: Refused, context: ErrorContext) -> Rendered:
    rendered = DETAIL.render(refused, context)
    word = HTTPStatus(rendered.status).phrase
    body = {"error": word, "errorCode": rendered.status, "errorDescription": refused.detail, "detail": refused.detail}
    return replace(rendered, body=msgspec.json.encode(body))


GOTIFY_ERRORS = Dialect(
    "gotify",
    "application/json",
    _render,
    {
        "type": "object",
        "properties": {
            "error": {"type": "string"},
            "errorCode": {"type": "integer"},
            "errorDescription": {"type": "string"},
            "detail": {"type": "string"},
        },
        "required": ["error", "errorCode", "errorDescription", "detail"],
    },
)
"""`{"error", "errorCode", "errorDescription"}`, and our own `detail`."""

GOTIFY = Api(
    "gotify",
    dialect=GOTIFY_ERRORS,
    kinds=frozenset({TOPIC_TOKEN}),
    places=(Header("X-Gotify-Key"), Query("token"), Bearer()),
    anonymous_rate=PUBLISHING.anonymous_rate,
    signed_in_rate=PUBLISHING.signed_in_rate,
    rate_headers=RateHeaders.UNIX,
)

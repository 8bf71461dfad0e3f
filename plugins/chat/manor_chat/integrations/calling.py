"""Calling the programs that integrations lead to."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from urllib.parse import urlencode

from manor import Outgoing, OutgoingFailed, OutgoingRefused, Response

MOST_ANSWER_BYTES = 1024 * 1024
FORM = "application/x-www-form-urlencoded"
JSON = "application/json"


class CallFailed(Exception):
    """There is no answer, or none that counts; the text names the host and says why."""


async def call(
    outgoing: Outgoing,
    method: str,
    url: str,
    *,
    fields: Mapping[str, str] | None = None,
    json: Any = None,
    token: str = "",
    seconds: float,
) -> Response:
    """Call a program.

    Args:
        outgoing: Asks, where that does no harm.
        method: GET, which takes fields into the query, or POST.
        url: Where it is.
        fields: A form.
        json: A body, in place of one.
        token: Goes along as `Authorization: Token …`; "" for none.
        seconds: How long it may take.

    Raises:
        CallFailed: It is not there, took too long, or answered with another status than 200.
    """
    headers = {"Accept": JSON}
    if token:
        headers["Authorization"] = f"Token {token}"
    content = b""
    if fields is not None and method == "GET":
        address, hash_, fragment = url.partition("#")
        url = f"{address}{'&' if '?' in address else '?'}{urlencode(fields)}{hash_}{fragment}"
    elif fields is not None:
        content, headers["Content-Type"] = urlencode(fields).encode(), FORM
    try:
        response = await outgoing.request(
            method, url, headers=headers, content=content, json=json, timeout=seconds, most_bytes=MOST_ANSWER_BYTES
        )
    except (OutgoingRefused, OutgoingFailed) as error:
        raise CallFailed(str(error)) from error
    if response.status != 200:
        raise CallFailed(f"it answered {response.status}")
    return response

"""Publishing to a running daemon from a shell, without an event loop, which would take longer to import."""

from __future__ import annotations

import http.client
import json
from collections.abc import Mapping
from typing import Any
from urllib.parse import quote

from manor.cli import Unavailable, refusal
from manor.cli.address import Address

PUBLISH_SECONDS = 30.0
_ANSWER_LIMIT = 1 << 20


def publish(address: Address, topic: str, message: Mapping[str, Any]) -> bytes:
    """Publish one message; returns the daemon's answer, JSON as it came. A 200 means that it is on disk there.

    Raises:
        Failure: The daemon cannot be reached (69) or refused (1, 77).
    """
    connection = address.connect(PUBLISH_SECONDS)
    try:
        connection.request(
            "POST",
            f"{address.prefix}/{quote(topic, safe='')}",
            json.dumps(message, ensure_ascii=False).encode(),
            {"Content-Type": "application/json"},
        )
        response = connection.getresponse()
        body = response.read(_ANSWER_LIMIT)
    except (OSError, http.client.HTTPException) as error:
        raise Unavailable(f"{address} cannot be reached: {error}") from error
    finally:
        connection.close()
    if response.status != 200:
        raise refusal(response.status, _sentence(body) or f"the daemon answered {response.status}")
    return body


def _sentence(body: bytes) -> str:
    try:
        return str(json.loads(body)["detail"])
    except (TypeError, ValueError, KeyError):
        return ""

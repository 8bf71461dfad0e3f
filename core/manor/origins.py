"""Which pages' scripts may talk to this server: own origins, CORS and the `Origin` of WebSockets."""

from __future__ import annotations

import re
from collections.abc import Sequence

from manor.routing import Api, Head

_TOKENS = re.compile(r"[A-Za-z0-9!#$%&'*+.^_`|~, -]{1,1024}")
_EXPOSED = "Retry-After, X-RateLimit-Limit, X-RateLimit-Remaining, X-RateLimit-Reset, X-Request-Id"
_PREFLIGHT_SECONDS = "600"


class Origins:
    """The server's own origin and those that the admin lets in.

    Args:
        public_url: As people reach the server; when empty, the Host header says what is our own.
        allowed: Exact origins such as `https://app.example.org`, or `*`.
    """

    def __init__(self, public_url: str = "", allowed: Sequence[str] = ()) -> None:
        self._own = _normal("/".join(public_url.split("/")[:3])) if public_url else ""
        self._is_open = "*" in allowed
        self._allowed = frozenset(_normal(origin) for origin in allowed if origin != "*")

    def is_own(self, head: Head) -> bool:
        """Whether the request comes from a page of ours, or from no page at all (no Origin)."""
        origin = head.headers.get("origin")
        if origin is None:
            return True
        if self._own:
            return _normal(origin) == self._own
        host = head.headers.get("host") or ""
        return bool(host) and _normal(origin).partition("://")[2] == host.lower()

    def may_use_ambient(self, head: Head) -> bool:
        """Whether a cookie or Basic credential counts: from our own pages and those named exactly, never by `*`."""
        return self.is_own(head) or _normal(head.headers.get("origin") or "") in self._allowed

    def may_open_websocket(self, head: Head) -> bool:
        """Whether a handshake passes: browsers ask no CORS question before they open a WebSocket."""
        return self._is_open or self.may_use_ambient(head)

    def cors_headers(self, head: Head) -> dict[str, str]:
        """What an answer tells the browser; empty when nobody else's pages are let in."""
        if self._is_open:
            return {"Access-Control-Allow-Origin": "*", "Access-Control-Expose-Headers": _EXPOSED}
        if not self._allowed:
            return {}
        origin = head.headers.get("origin")
        if origin is None or _normal(origin) not in self._allowed:
            return {"Vary": "Origin"}
        return {"Access-Control-Allow-Origin": origin, "Access-Control-Expose-Headers": _EXPOSED, "Vary": "Origin"}

    def preflight_headers(self, head: Head, methods: Sequence[str]) -> dict[str, str]:
        """The answer to a browser that asks before it calls; no permission for origins that are not let in."""
        headers = self.cors_headers(head)
        if "Access-Control-Allow-Origin" not in headers or "access-control-request-method" not in head.headers:
            return headers
        del headers["Access-Control-Expose-Headers"]
        headers["Access-Control-Allow-Methods"] = ", ".join(methods)
        headers["Access-Control-Max-Age"] = _PREFLIGHT_SECONDS
        wanted = head.headers.get("access-control-request-headers") or ""
        if _TOKENS.fullmatch(wanted):
            headers["Access-Control-Allow-Headers"] = wanted
        return headers


def _normal(origin: str) -> str:
    return origin.rstrip("/").lower()


EVERY_PAGE = Origins(allowed=("*",))
"""For an API whose own headers let every page in."""


def is_open_to_every_page(api: Api) -> bool:
    """Whether an API's own headers let every page in, whatever origins are configured."""
    return not api.cors and api.headers.get("Access-Control-Allow-Origin") == "*"

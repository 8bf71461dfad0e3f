"""Requests as values: what is asked of whom, and what becomes of it at a redirect. No network here."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

import httpx

from manor.outgoing.bodies import ENCODINGS
from manor.outgoing.refusals import OutgoingRefused
from manor.outgoing.targets import DEFAULT_PORTS

METHODS = frozenset({"DELETE", "GET", "HEAD", "OPTIONS", "PATCH", "POST", "PUT"})

LONGEST_URL = 8192

REDIRECTS = frozenset({301, 302, 303, 307, 308})

# What may follow a redirect to another origin. All else may be a credential, whatever its name is.
_HARMLESS = frozenset({"accept", "accept-language", "content-type", "user-agent"})

# The connection's own business; a caller who passes on somebody's headers must not be able to set them.
_OURS = frozenset(
    {
        "accept-encoding",
        "connection",
        "content-length",
        "expect",
        "host",
        "keep-alive",
        "te",
        "trailer",
        "transfer-encoding",
        "upgrade",
    }
)

_TOKEN = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
_VALUE = re.compile(r"[\t\x20-\x7e\x80-\xff]*")
# urllib, httpx and browsers disagree about what these mean within a URL.
_MISLEADING = re.compile(r"[\x00-\x20\x7f\\]")
_HOST = re.compile(r"[A-Za-z0-9._:-]+")


@dataclass(frozen=True)
class Hop:
    """One request to one server.

    Args:
        method: Upper case.
        url: Absolute, without a fragment.
        headers: By lower-case name.
        body: Bytes.
    """

    method: str
    url: httpx.URL
    headers: Mapping[str, str]
    body: bytes

    @property
    def host(self) -> str:
        """In ASCII, without brackets."""
        return self.url.raw_host.decode("ascii")

    @property
    def port(self) -> int:
        """Where to connect."""
        return self.url.port or DEFAULT_PORTS[self.url.scheme]

    @property
    def origin(self) -> tuple[str, str, int]:
        """Scheme, host and port."""
        return self.url.scheme, self.host, self.port

    def sent_headers(self) -> list[tuple[bytes, bytes]]:
        """All headers of the request, as they go over the wire."""
        host = self.url.netloc.decode("ascii")
        headers = {"host": host, "user-agent": "manor", "accept-encoding": ENCODINGS, "connection": "close"}
        headers |= self.headers
        if self.body or self.method in ("PATCH", "POST", "PUT"):
            headers["content-length"] = str(len(self.body))
        return [(name.encode("ascii"), value.encode("latin-1")) for name, value in headers.items()]

    def redirected(self, status: int, location: str) -> Hop:
        """The request that a redirect asks for.

        To another origin nothing goes that may be a credential: no header but harmless ones, and no body.

        Raises:
            OutgoingRefused: It leads from https to http, takes a body elsewhere, or is no address that we ask.
        """
        url = parse_url(location, base=self.url)
        if (self.url.scheme, url.scheme) == ("https", "http"):
            raise OutgoingRefused(f"{self.host}: redirects from https to http")
        method, body, headers = self.method, self.body, dict(self.headers)
        if method != "HEAD" and (status == 303 or (status in (301, 302) and method == "POST")):
            method, body = "GET", b""
            headers.pop("content-type", None)
        follower = Hop(method, url, headers, body)
        if follower.origin == self.origin:
            return follower
        if body:
            raise OutgoingRefused(f"{self.host}: redirects a body to another origin")
        return Hop(method, url, {name: value for name, value in headers.items() if name in _HARMLESS}, b"")


def first_hop(method: str, url: str, headers: Mapping[str, str], body: bytes) -> Hop:
    """A request as its caller words it.

    Raises:
        OutgoingRefused: The method, the address or a header is none that we send.
    """
    if method not in METHODS:
        raise OutgoingRefused(f"the method {method!r} is not one of {', '.join(sorted(METHODS))}")
    return Hop(method, parse_url(url), _checked(headers), body)


def parse_url(text: str, *, base: httpx.URL | None = None) -> httpx.URL:
    """Read an address, a relative one as seen from `base`; the fragment goes.

    Raises:
        OutgoingRefused: It is not http or https, has a user or a password, or can be read in two ways.
    """
    if len(text) > LONGEST_URL or _MISLEADING.search(text):
        raise OutgoingRefused("the address is too long, or has spaces, backslashes or control characters")
    try:
        url = httpx.URL(text) if base is None else base.join(text)
        port = url.port
        host = url.raw_host.decode("ascii")
    except (httpx.InvalidURL, ValueError) as error:
        raise OutgoingRefused("the address cannot be read") from error
    if url.scheme not in DEFAULT_PORTS:
        raise OutgoingRefused(f"the scheme {url.scheme[:20]!r} is neither http nor https")
    if not _HOST.fullmatch(host):
        raise OutgoingRefused("the address names no host")
    if url.userinfo or "@" in url.netloc.decode("ascii"):
        raise OutgoingRefused("the address has a user or a password in it")
    if port is not None and not 0 < port < 65536:
        raise OutgoingRefused(f"there is no port {port}")
    return url.copy_with(fragment=None)


def _checked(headers: Mapping[str, str]) -> dict[str, str]:
    checked = {}
    for name, value in headers.items():
        folded = name.lower()
        if not _TOKEN.fullmatch(name) or folded in _OURS or folded.startswith("proxy-"):
            raise OutgoingRefused(f"the header {name[:100]!r} cannot be set")
        if not _VALUE.fullmatch(value):
            raise OutgoingRefused(f"the header {name[:100]!r} has control characters, or others than Latin-1")
        checked[folded] = value.strip()
    return checked

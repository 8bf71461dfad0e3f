"""The cookies of browsers, and what proves that a page of ours sends them.

Only a client that says `X-Requested-With: XMLHttpRequest` is given any: a program that kept them without knowing would
send them without the proof, and be refused.
"""

from __future__ import annotations

import hashlib
import hmac
from uuid import UUID

from manor import Head, to_chat_id
from manor_chat.http.api import COOKIE, ChatCookie
from manor_chat.ids import shown_id

USER_COOKIE = "MMUSERID"
CSRF_COOKIE = "MMCSRF"
CSRF_HEADER = "x-csrf-token"
CONSENT_PATH = "/oauth/consent"
"""Takes a plain form, which can send no header and proves itself by the token in it."""

_SESSION_COOKIE = ChatCookie(COOKIE)
_HARMLESS = frozenset({"GET", "HEAD", "OPTIONS"})


def csrf_of(token: str) -> str:
    """What a page sends with a session's cookie: made of the token and no way back, so that nothing is kept."""
    digest = hashlib.blake2b(token.encode("utf-8", "surrogatepass"), digest_size=16, person=b"chat csrf").digest()
    return to_chat_id(UUID(bytes=digest))


def is_page(head: Head) -> bool:
    """Whether a script of a page asks: no form and no link can send this header."""
    return (head.headers.get("x-requested-with") or "").lower() == "xmlhttprequest"


def is_in_cookie(head: Head, token: str) -> bool:
    """Whether this is what the session's cookie holds."""
    return _SESSION_COOKIE.find(head) == token


def is_proven(head: Head, token: str) -> bool:
    """Whether a request whose session came as a cookie was sent by a page that may know it."""
    if head.method in _HARMLESS or is_page(head) or head.path == CONSENT_PATH:
        return True
    sent = (head.headers.get(CSRF_HEADER) or "").encode("latin-1", "replace")
    return hmac.compare_digest(sent, csrf_of(token).encode())


class Cookies:
    """Writes `Set-Cookie` headers; several cookies stand in one value, a line each.

    Args:
        public_url: As people reach the server; "" when that is not known.
    """

    def __init__(self, public_url: str) -> None:
        self._is_https = public_url.startswith("https:")

    def given(self, head: Head, token: str, user_id: UUID, *, seconds: int) -> str:
        """The cookies of a session."""
        return "\n".join(
            (
                self._one(head, COOKIE, token, seconds, "; HttpOnly"),
                self._one(head, USER_COOKIE, shown_id(user_id), seconds),
                self._one(head, CSRF_COOKIE, csrf_of(token), seconds),
            )
        )

    def cleared(self, head: Head) -> str:
        """What has a browser forget them."""
        return "\n".join(
            (
                self._one(head, COOKIE, "", 0, "; HttpOnly"),
                self._one(head, USER_COOKIE, "", 0),
                self._one(head, CSRF_COOKIE, "", 0),
            )
        )

    def _one(self, head: Head, name: str, value: str, seconds: int, more: str = "") -> str:
        secure = "; Secure" if self._is_https or head.scheme == "https" else ""
        return f"{name}={value}; Path=/; Max-Age={seconds}{more}; SameSite=Lax{secure}"

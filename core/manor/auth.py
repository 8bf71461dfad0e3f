"""Who asks: principals, how their credentials are recognised, and what a route takes."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, ClassVar, Protocol
from uuid import UUID

if TYPE_CHECKING:
    from manor.requests import Head


@dataclass(frozen=True)
class Principal:
    """What one credential stands for.

    Args:
        kind: The credential's kind, such as `api_key`; the plugin that issues it declares it.
        user_id: The person or bot behind it, if there is one.
        credential_id: The row of the credential, so that a revocation finds the streams it opened.
        session_id: The session it belongs to, if any.
        scopes: What it may do; `*` stands for all that its kind may.
        is_admin: Whether the person administers this server.
        resource: The one thing that it opens (a topic's id, for a topic token), if it is bound to one.
    """

    kind: str
    user_id: UUID | None = None
    credential_id: UUID | None = None
    session_id: UUID | None = None
    scopes: frozenset[str] = frozenset()
    is_admin: bool = False
    resource: UUID | None = None

    @cached_property
    def bucket(self) -> str:
        """Whose rates its requests draw on: the credential's own, else its person's."""
        return str(self.credential_id or self.user_id or self.kind)

    def has(self, scope: str) -> bool:
        """Whether the credential carries this scope."""
        return scope in self.scopes or "*" in self.scopes


class Place(Protocol):
    """Where clients of an API put a credential.

    One that looks at certain headers or at the query alone may say so, with the attributes `headers` (lower-case names)
    and `is_in_query`: a request that has nothing there is then not searched.
    """

    @property
    def is_ambient(self) -> bool:
        """Whether browsers send it unasked, from any page (cookies, Basic): then a foreign `Origin` is refused."""
        ...

    def find(self, head: Head) -> str | None:
        """The secret as sent, or None when this place is empty."""
        ...


@dataclass(frozen=True)
class Bearer:
    """`Authorization: Bearer SECRET`. Another scheme is a credential that nobody knows."""

    is_ambient = False
    headers: ClassVar[frozenset[bytes]] = frozenset({b"authorization"})

    def find(self, head: Head) -> str | None:
        """The secret; for a scheme that is not Bearer the whole header with a blank in it, which no secret has."""
        value = head.headers.get("authorization")
        if value is None:
            return None
        scheme, _, secret = value.partition(" ")
        return secret.strip() if scheme.lower() == "bearer" else f"{scheme} {secret}"


@dataclass(frozen=True)
class BearerAlone(Bearer):
    """`Authorization: Bearer SECRET`, where Basic has a place of its own."""

    def find(self, head: Head) -> str | None:
        """The secret; None for Basic."""
        found = super().find(head)
        return None if found is None or is_basic(found) else found


@dataclass(frozen=True)
class Basic:
    """`Authorization: Basic …` (RFC 7617). Browsers send it unasked once somebody has typed it."""

    is_ambient = True
    headers: ClassVar[frozenset[bytes]] = frozenset({b"authorization"})

    def find(self, head: Head) -> str | None:
        """The whole header: what it holds is looked at by the one who recognises it, with `read_basic`."""
        value = (head.headers.get("authorization") or "").strip()
        return value if is_basic(value) else None


_BASIC = "basic"


def is_basic(header: str) -> bool:
    """Whether the value of an `Authorization` header is of the scheme Basic."""
    return header.partition(" ")[0].lower() == _BASIC


def read_basic(header: str) -> tuple[str, str]:
    """The name and the password in such a header; both are "" where it holds none.

    Base64 in either alphabet, padded or not.
    """
    try:
        name, _, password = read_base64(header[len(_BASIC) :].strip()).partition(":")
    except ValueError:
        return "", ""
    return name, password


def read_base64(text: str) -> str:
    """The text in it, in either alphabet, padded or not.

    Raises:
        ValueError: It is no base64, or what is in it is not UTF-8.
    """
    try:
        return base64.b64decode(
            text.translate({0x2D: 0x2B, 0x5F: 0x2F}) + "=" * (-len(text) % 4), validate=True
        ).decode()
    except (binascii.Error, UnicodeError) as error:
        raise ValueError("expected base64 of UTF-8") from error


@dataclass(frozen=True)
class Header:
    """A header of its own, such as `X-API-Key`."""

    is_ambient = False

    name: str

    @property
    def headers(self) -> frozenset[bytes]:
        """Where it looks."""
        return frozenset({self.name.lower().encode("latin-1")})

    def find(self, head: Head) -> str | None:
        """The header's value."""
        return head.headers.get(self.name)


@dataclass(frozen=True)
class Query:
    """A query parameter, such as `?token=`. The access log blanks it."""

    is_ambient = False
    is_in_query = True
    headers: ClassVar[frozenset[bytes]] = frozenset()

    name: str

    def find(self, head: Head) -> str | None:
        """The parameter's value."""
        return head.parameter(self.name)


@dataclass(frozen=True)
class Cookie:
    """A cookie, also under the `__Host-` prefix that it has when people come over HTTPS."""

    is_ambient = True
    headers: ClassVar[frozenset[bytes]] = frozenset({b"cookie"})

    name: str

    def find(self, head: Head) -> str | None:
        """The cookie's value; the prefixed one wins, because no other host can have set it."""
        found: str | None = None
        for pair in (head.headers.get("cookie") or "").split(";"):
            name, _, value = pair.strip().partition("=")
            if name == f"__Host-{self.name}":
                return value
            if name == self.name and found is None:
                found = value
        return found


@dataclass(frozen=True)
class Presented:
    """A secret as it was sent, and the request that brought it."""

    secret: str
    head: Head


@dataclass(frozen=True)
class Authenticator:
    """Turns secrets of one kind into principals; declared by the plugin that issues them.

    Args:
        kind: The credential kind.
        recognises: Whether a secret looks like this kind (its prefix, say). Sync and cheap.
        authenticate: The principal, or None when the secret is unknown, expired or revoked.
        make: Makes one for an admin at the shell, by the label that it is to have, and gives its secret; None where
            the shell makes none.
        known: The principal, where everything about the secret is in memory, else None: then `authenticate` is asked.
    """

    kind: str
    recognises: Callable[[str], bool]
    authenticate: Callable[[Presented], Awaitable[Principal | None]]
    make: Callable[[str], Awaitable[str]] | None = None
    known: Callable[[Presented], Principal | None] | None = None


class Access(Protocol):
    """Who may call a route, by kind, scope and admin only; rights on a row are the use-case's."""

    @property
    def is_public(self) -> bool:
        """Whether a request without any credential passes."""
        ...

    def allows(self, principal: Principal) -> bool:
        """Whether this credential passes."""
        ...

    def __str__(self) -> str:
        """How `manor routes` and OpenAPI write it."""
        ...


@dataclass(frozen=True)
class Public:
    """Everyone, with or without a credential: openness said aloud."""

    is_public = True

    def allows(self, principal: Principal) -> bool:
        """Every known credential passes."""
        return True

    def __str__(self) -> str:
        return "public"


PUBLIC = Public()


class Kinds:
    """Credentials of these kinds."""

    is_public = False

    def __init__(self, *kinds: str) -> None:
        self.kinds = frozenset(kinds)

    def allows(self, principal: Principal) -> bool:
        """Whether the credential is of one of the kinds."""
        return principal.kind in self.kinds

    def __str__(self) -> str:
        return "kind " + " or ".join(sorted(self.kinds))


class Scope:
    """Credentials that carry a scope; with `kinds`, only of those kinds."""

    is_public = False

    def __init__(self, scope: str, *, kinds: Sequence[str] = ()) -> None:
        self.scope = scope
        self.kinds = frozenset(kinds)

    def allows(self, principal: Principal) -> bool:
        """Whether the credential carries the scope and is of the right kind."""
        return principal.has(self.scope) and (not self.kinds or principal.kind in self.kinds)

    def __str__(self) -> str:
        return f"scope {self.scope}"


@dataclass(frozen=True)
class Admin:
    """Administrators of this server."""

    is_public = False

    def allows(self, principal: Principal) -> bool:
        """Whether the person administers this server."""
        return principal.is_admin

    def __str__(self) -> str:
        return "admin"


ADMIN = Admin()

"""The tables `[plugins.auth.oidc.NAME]`: the providers whose accounts people may sign in with."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Annotated, Literal
from urllib.parse import urlsplit

import msgspec
from msgspec import Meta

Algorithm = Literal["RS256", "RS384", "RS512", "PS256", "ES256", "ES384"]
"""Signatures with key pairs; what a secret signs (HS…) and what nothing signs (`none`) is never taken."""

_NAME = re.compile(r"[a-z0-9][a-z0-9_-]{0,31}")
_SCHEME = re.compile(r"[a-z][a-z0-9+.-]*")
# Addresses that a browser runs or shows itself, instead of handing them to a program.
_OWN_SCHEMES = frozenset({"about", "blob", "data", "file", "filesystem", "javascript", "vbscript", "view-source"})


def check_issuer(text: str) -> None:
    """See that this is a provider's name for itself: https, or http for one beside us; a slash at its end is its own.

    Raises:
        ValueError: It is not.
    """
    expected = "expected an address as https://id.example.org/realms/home"
    try:
        parts = urlsplit(text)
        is_good = parts.port != 0 and bool(parts.hostname) and parts.scheme in ("http", "https")
    except ValueError:
        is_good = False
    if not is_good or not text.isascii() or not text.isprintable() or re.search(r"[\s\\@?#]", text):
        raise ValueError(f"{expected}, got {text!r}")


def check_target(text: str) -> None:
    """See that tokens may be taken there: a whole address, of the web or of an app's own scheme, without a fragment.

    Raises:
        ValueError: It is not.
    """
    expected = "expected a whole address as https://app.example.org/callback or org.example.app:/callback"
    scheme, colon, rest = text.partition(":")
    if not colon or not rest or _SCHEME.fullmatch(scheme) is None or not text.isascii():
        raise ValueError(f"{expected}, got {text!r}")
    if scheme in _OWN_SCHEMES or "#" in text or re.search(r"[\x00-\x20\x7f\\]", text):
        raise ValueError(f"{expected}, without a fragment, got {text!r}")
    if scheme in ("http", "https") and (not urlsplit(text).hostname or "@" in urlsplit(text).netloc):
        raise ValueError(f"{expected}, got {text!r}")


def check_names(names: Iterable[str]) -> None:
    """See that providers' names fit into paths.

    Raises:
        ValueError: One does not.
    """
    for name in names:
        if _NAME.fullmatch(name) is None:
            raise ValueError(
                f"oidc: expected a provider's name of lower-case letters, digits, '-' and '_', got {name!r}"
            )


class ProviderConfig(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """One provider."""

    issuer: Annotated[
        str,
        Meta(
            description="The provider's name for itself; its discovery document stands below that address.",
            extra={"check": check_issuer},
        ),
    ]
    client_id: Annotated[str, Meta(description="What the provider calls this server. Without it no web sign-in.")] = ""
    client_ids: Annotated[
        tuple[Annotated[str, Meta(min_length=1)], ...],
        Meta(description="What it calls the apps whose tokens are taken at `/auth/apple/mobile`."),
    ] = ()
    client_secret: Annotated[
        str,
        Meta(
            description="Holds the secret that goes with `client_id`; without it this is a public client.",
            extra={"secret": True},
        ),
    ] = ""
    scopes: Annotated[
        tuple[Annotated[str, Meta(pattern=r"^[\x21\x23-\x5b\x5d-\x7e]+$")], ...],
        Meta(description="What is asked for; `openid` has to be among them."),
    ] = ("openid", "email", "profile")
    title: Annotated[
        str, Meta(max_length=60, description="What its button says; the name of its table when empty.")
    ] = ""
    admin_group: Annotated[
        str,
        Meta(
            description="Members of this group (claim `groups`) administer this server, and whoever is not in it when "
            "they sign in here does so no more; empty: groups mean nothing."
        ),
    ] = ""
    link_by_email: Annotated[
        bool,
        Meta(
            description="Whether somebody whose proven address is that of a verified account here is let into it at "
            "once; otherwise they prove it once with that account's password."
        ),
    ] = False
    trust_email: Annotated[
        bool,
        Meta(
            description="Whether its addresses are proven although it does not say so (`email_verified`): only for a "
            "provider whose people cannot choose them."
        ),
    ] = False
    algorithms: Annotated[
        tuple[Algorithm, ...], Meta(min_length=1, description="What its tokens may be signed with.")
    ] = ("RS256", "ES256")

    def __post_init__(self) -> None:
        """See what does not fit together."""
        if not self.client_id and not self.client_ids:
            raise ValueError("client_id is missing (or client_ids, for apps)")
        if "openid" not in self.scopes:
            raise ValueError("scopes: expected 'openid' among them")

    @property
    def audiences(self) -> frozenset[str]:
        """The apps whose tokens are taken."""
        return frozenset(self.client_ids or (self.client_id,))

"""What the shell says to the house about keys, links and invites, and what the house answers."""

from __future__ import annotations

from datetime import datetime

import msgspec


class RotateKeys(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """No arguments."""


class RevokeKey(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The key that ends, by its id; JWKS and `manor auth keys rotate` say the ids."""

    kid: str


class KeyShown(msgspec.Struct, frozen=True):
    """A key, without either half."""

    kid: str
    created_at: datetime
    signs: bool


class KeysShown(msgspec.Struct, frozen=True):
    """All keys that verify something, the one that signs last."""

    keys: list[KeyShown]


class ListLinks(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Which links: for one address, of one kind; None is all."""

    email: str | None = None
    kind: str | None = None


class LinkListed(msgspec.Struct, frozen=True):
    """A link whose mail has not gone out; `is_given_up` says that nobody will try again."""

    kind: str
    email: str
    url: str
    created_at: datetime
    is_given_up: bool


class LinksListed(msgspec.Struct, frozen=True):
    """The links, newest first."""

    links: list[LinkListed]


class InvitePerson(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Who is asked to make an account here."""

    email: str


class PersonInvited(msgspec.Struct, frozen=True):
    """The link that lets them; `is_mailed` says whether a mail brings it to them."""

    email: str
    url: str
    expires_at: datetime
    is_mailed: bool

    def __repr__(self) -> str:
        """Without the link, whatever log or traceback it lands in."""
        return f"PersonInvited(email={self.email!r}, is_mailed={self.is_mailed!r})"


class MakeSetupLink(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """No arguments."""


class SetupLink(msgspec.Struct, frozen=True):
    """Where the first admin is made."""

    url: str

"""The services that an administrator sees: keys that programs know, and the units behind them."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Annotated

import msgspec
from msgspec import Meta

_UNIT = re.compile(r"[A-Za-z0-9:_.@\\-]{1,240}\.(service|socket|timer|target|path|mount)")


def _check_unit(unit: str) -> None:
    if not _UNIT.fullmatch(unit):
        raise ValueError(f"expected a unit's whole name, such as gitea.service, got {unit!r}")


def check_path(text: str) -> None:
    """Check that a path is one from the root on; "" is none.

    Raises:
        ValueError: It is not.
    """
    if text and not text.startswith("/"):
        raise ValueError(f"expected a path from the root on, got {text!r}")


Unit = Annotated[str, Meta(extra={"check": _check_unit})]
AbsolutePath = Annotated[str, Meta(extra={"check": check_path})]


class Entry(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A service: its state is the worst of its units'."""

    title: Annotated[str, Meta(max_length=100, description="What people call it; empty: its key.")] = ""
    units: Annotated[tuple[Unit, ...], Meta(description="The units that are it.")] = ()
    also: Annotated[
        tuple[Unit, ...], Meta(description="Units that go on and off with it and say nothing of its state.")
    ] = ()
    data: Annotated[tuple[AbsolutePath, ...], Meta(description="Its folders, whose size on disk is shown.")] = ()
    switchable: Annotated[bool, Meta(description="Whether it can be switched on and off from here.")] = True


class DataSize(msgspec.Struct, frozen=True):
    """How much room a service's folders take up on disk.

    Args:
        bytes: Of all that is in them.
        is_whole: False: it is more, but some of it could not be looked at in time, or at all.
    """

    bytes: int
    is_whole: bool = True


SWITCHED: Mapping[str, Entry] = {
    "bitwarden": Entry("Bitwarden", ("bitwarden_rs.service",), data=("/var/lib/bitwarden_rs",)),
    "gitea": Entry("Gitea", ("gitea.service",), data=("/var/lib/gitea",)),
    "nextcloud": Entry("Nextcloud", ("phpfpm-nextcloud.service",), data=("/var/lib/nextcloud",)),
    "ocserv": Entry("OpenConnect VPN server", ("ocserv.service",)),
    "pleroma": Entry("Pleroma", ("pleroma.service",), data=("/var/lib/pleroma",)),
}
"""The services of the SelfPrivacy API that can be switched, with the names it gives them."""

WATCHED: Mapping[str, Entry] = {
    "imap": Entry("IMAP", ("dovecot2.service",), switchable=False),
    "smtp": Entry("SMTP", ("postfix.service",), switchable=False),
    "http": Entry("Web server", ("nginx.service",), switchable=False),
}
"""The services of the SelfPrivacy API whose state alone is shown."""


def catalogue(own: Mapping[str, Entry]) -> dict[str, Entry]:
    """Give every service by its key: those that are always there first, as the admin's own table changes them.

    Args:
        own: The table `services`; what an entry leaves out of title, units and data is as it ships.
    """
    found = {**SWITCHED, **WATCHED}
    for key, entry in own.items():
        shipped = found.get(key, Entry(title=key))
        found[key] = msgspec.structs.replace(
            entry,
            title=entry.title or shipped.title,
            units=entry.units or shipped.units,
            data=entry.data or shipped.data,
            # The three whose state alone is shown have no operation that switches them.
            switchable=entry.switchable and key not in WATCHED,
        )
    return found

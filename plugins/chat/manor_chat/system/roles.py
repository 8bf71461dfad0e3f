"""Roles as the API shows them: fixed, and the same on every server."""

from __future__ import annotations

import hashlib
from functools import cache

import msgspec

from manor_chat.domain.permissions import ROLES
from manor_chat.ids import ALPHABET

_DISPLAY = {name: f"authentication.roles.{name}.name" for name in ROLES}


class RoleShown(msgspec.Struct, frozen=True, kw_only=True):
    """A role."""

    id: str
    name: str
    display_name: str
    description: str
    create_at: int = 0
    update_at: int = 0
    delete_at: int = 0
    permissions: list[str]
    scheme_managed: bool
    built_in: bool = True


@cache
def show_role(name: str) -> RoleShown:
    """A role, which is there. Its id is made of its name."""
    bits = int.from_bytes(hashlib.sha256(f"role {name}".encode()).digest()[:16]) << 2
    return RoleShown(
        id="".join(ALPHABET[bits >> shift & 31] for shift in range(125, -1, -5)),
        name=name,
        display_name=_DISPLAY[name],
        description=f"authentication.roles.{name}.description",
        permissions=sorted(ROLES[name]),
        scheme_managed=name.startswith(("team_", "channel_", "system_user", "system_admin", "system_guest")),
    )

"""What somebody sees of their own account."""

from __future__ import annotations

import re
from dataclasses import dataclass
from uuid import UUID

from manor import (
    Session,
    Storage,
    Transaction,
    Unauthorized,
    User,
    count_recovery_codes,
    find_password_hash,
    find_user,
    has_totp,
    list_sessions,
)

_PROGRAMS = (("Edg", "Edge"), ("Firefox", "Firefox"), ("Chrom", "Chrome"), ("Safari", "Safari"), ("curl", "curl"))
_SYSTEMS = (
    ("Android", "Android"),
    ("iPhone|iPad", "iOS"),
    ("Windows", "Windows"),
    ("Mac OS", "macOS"),
    ("Linux", "Linux"),
)


@dataclass(frozen=True)
class Place:
    """Where somebody is signed in.

    Args:
        session: The session.
        program: What they use there, as people call it.
    """

    session: Session
    program: str


@dataclass(frozen=True)
class Overview:
    """An account.

    Args:
        user: Whose.
        has_password: Whether they sign in with one.
        has_second_factor: Whether signing in takes a code.
        recovery_codes: How many of them are left.
        places: Where they are signed in, the newest first.
    """

    user: User
    has_password: bool
    has_second_factor: bool
    recovery_codes: int
    places: list[Place]


async def read_overview(storage: Storage, user_id: UUID) -> Overview:
    """Somebody's account.

    Raises:
        Unauthorized: It is gone.
    """

    def work(transaction: Transaction) -> Overview:
        user = find_user(transaction, user_id=user_id)
        if user is None:
            raise Unauthorized("This account is gone")
        return Overview(
            user,
            has_password=find_password_hash(transaction, user_id) is not None,
            has_second_factor=has_totp(transaction, user_id),
            recovery_codes=count_recovery_codes(transaction, user_id),
            places=[Place(each, program_of(each.user_agent)) for each in list_sessions(transaction, user_id)],
        )

    return await storage.read(work)


def program_of(user_agent: str) -> str:
    """What people call a program that calls itself so: `Firefox on Linux`; its own words when we do not know it."""
    program = next((name for pattern, name in _PROGRAMS if re.search(pattern, user_agent)), "")
    system = next((name for pattern, name in _SYSTEMS if re.search(pattern, user_agent)), "")
    if program and system:
        return f"{program} on {system}"
    return program or user_agent[:60] or "Unknown program"

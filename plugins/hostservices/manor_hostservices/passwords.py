"""Passwords of the host's accounts, as `/etc/shadow` has them."""

from __future__ import annotations

from typing import cast

import trio

ROUNDS = 100_000
"""A tenth of a second of a processor in 2026; crypt(3) itself takes 5,000 when nobody says more."""


async def hash_password(password: str) -> str:
    """Hash a password with SHA-512 crypt (`$6$`), off the loop; it never stands on a command line."""
    return await trio.to_thread.run_sync(_hash, password)


def _hash(password: str) -> str:
    # Imported by those who make accounts.
    from passlib.hash import sha512_crypt

    return cast("str", sha512_crypt.using(rounds=ROUNDS).hash(password))

"""Passwords: which ones are taken, and how they are kept (argon2id, off the loop, a few at a time)."""

from __future__ import annotations

import base64
import functools
import os
import unicodedata
from collections.abc import Callable
from importlib.resources import files
from typing import ParamSpec, TypeVar

import argon2
import trio

from manor.errors import Unavailable
from manor.identity.names import refuse_field

LENGTHS = (8, 1024)
AT_ONCE = 2
"""Each hash takes its whole memory, 64 MiB by default: more at once would make a burst of logins costly."""
WAITING = 32
"""How many more may wait for their turn; at 0.1 s each the last of them is through in under two seconds."""

P = ParamSpec("P")
T = TypeVar("T")


def normalised(password: str) -> str:
    """One form for what keyboards compose differently (NFC); done before checking, hashing and verifying."""
    return unicodedata.normalize("NFC", password)


@functools.cache
def common_passwords() -> frozenset[str]:
    """Passwords that are tried first; folded."""
    text = files("manor.identity").joinpath("common_passwords.txt").read_text(encoding="utf-8")
    return frozenset(line.casefold() for line in text.splitlines() if line and not line.startswith("# "))


def check_password(password: str, *, username: str, email: str | None) -> None:
    """See that a new password is worth having. There are no rules of composition: length is what counts.

    Raises:
        Unprocessable: 422 with the field `password`.
    """
    password = normalised(password)
    least, most = LENGTHS
    if not least <= len(password) <= most:
        raise refuse_field("password", f"expected {least} to {most} characters, got {len(password)}")
    if any("\ud800" <= character <= "\udfff" for character in password):
        raise refuse_field("password", "expected Unicode text")
    folded = password.casefold()
    if folded in common_passwords():
        raise refuse_field("password", "too common: it is among the first that are tried")
    if folded in (username.casefold(), normalised(email or "").casefold()):
        raise refuse_field("password", "expected something else than the username or e-mail address")


class Hasher:
    """argon2id on worker threads, two at a time; a queue with an end, so that a burst cannot pile up.

    Args:
        memory_mib: Memory of one hash.
        passes: Passes over it.
        inline: Hash on the caller's thread instead, for tests whose clock jumps over threads.

    Attributes:
        dummy: A hash that no password has, and that takes as long to verify as any other: for unknown people.
    """

    def __init__(self, *, memory_mib: int, passes: int, inline: bool = False) -> None:
        self._argon2 = argon2.PasswordHasher(
            time_cost=passes, memory_cost=memory_mib * 1024, parallelism=1, salt_len=16, hash_len=32
        )
        salt, tag = (base64.b64encode(os.urandom(size)).decode().rstrip("=") for size in (16, 32))
        self.dummy = f"$argon2id$v=19$m={memory_mib * 1024},t={passes},p=1${salt}${tag}"
        self._inline = inline
        self._limiter = trio.CapacityLimiter(AT_ONCE)
        self._taken = 0

    async def hash(self, password: str) -> str:
        """Make what is stored: salt and parameters are in it. Never inside a transaction: it takes 0.1 s.

        Raises:
            Unavailable: Too many are waiting already.
        """
        return await self._run(self._argon2.hash, normalised(password))

    async def verify(self, password_hash: str, password: str) -> bool:
        """Whether the password is the one that was hashed.

        Raises:
            Unavailable: Too many are waiting already.
        """
        try:
            return await self._run(self._argon2.verify, password_hash, normalised(password))
        except argon2.exceptions.VerifyMismatchError:
            return False

    def is_outdated(self, password_hash: str) -> bool:
        """Whether it was made with other parameters than today's, and should be made anew at the next chance."""
        return self._argon2.check_needs_rehash(password_hash)

    async def _run(self, work: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        if self._taken >= AT_ONCE + WAITING:
            raise Unavailable("Too many passwords are being checked; try again shortly", headers={"Retry-After": "2"})
        self._taken += 1
        try:
            call = functools.partial(work, *args, **kwargs)
            if self._inline:
                await trio.lowlevel.checkpoint()
                return call()
            return await trio.to_thread.run_sync(call, limiter=self._limiter)
        finally:
            self._taken -= 1

"""Between the password and the code: proof that somebody's password was right a moment ago.

A page asks for the code in a step of its own. What it carries over is a signed ticket, never the password.
"""

from __future__ import annotations

import hmac
import secrets
from datetime import timedelta
from uuid import UUID

from manor import Clock, Storage, find_password_hash, parse_id

LIFE = timedelta(minutes=10)


class SecondSteps:
    """Makes tickets and reads them. A restart voids them, and so does a new password.

    Args:
        storage: Where passwords' hashes are.
        clock: Says what has expired.
    """

    def __init__(self, storage: Storage, clock: Clock) -> None:
        self._storage = storage
        self._clock = clock
        self._key = secrets.token_bytes(32)

    async def ticket(self, user_id: UUID) -> str:
        """Proof for somebody whose password was right just now; it opens nothing without a code."""
        until = int((self._clock.now() + LIFE).timestamp())
        return f"{user_id}.{until}.{await self._signature(user_id, until)}"

    async def user_of(self, ticket: str) -> UUID | None:
        """Whose password was right; None when nobody's was, or too long ago."""
        who, _, rest = ticket.partition(".")
        end, _, signature = rest.partition(".")
        user_id = parse_id(who)
        if user_id is None or not (end.isascii() and end.isdigit() and len(end) < 15):
            return None
        expected = await self._signature(user_id, int(end))
        if not hmac.compare_digest(signature.encode(), expected.encode()):
            return None
        return user_id if self._clock.now().timestamp() < int(end) else None

    async def _signature(self, user_id: UUID, until: int) -> str:
        password_hash = await self._storage.read(lambda transaction: find_password_hash(transaction, user_id))
        return hmac.new(self._key, f"{user_id} {until} {password_hash}".encode(), "sha256").hexdigest()

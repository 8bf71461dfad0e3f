"""What plugins get as `context.identity`: the parts of identity that hold something between transactions."""

from __future__ import annotations

from manor.config import IdentityConfig
from manor.identity.passwords import Hasher


class Identity:
    """Hashing and settings; who is who is asked with the functions beside it, in the caller's own transaction.

    Args:
        config: The `[identity]` table.
        default_tier: The tier of new people.
        inline: Hash on the loop's thread, for tests whose clock jumps over threads.

    Attributes:
        config: The `[identity]` table.
        default_tier: The tier of new people.
        hasher: Makes and verifies password hashes, outside of transactions.
    """

    def __init__(self, config: IdentityConfig, *, default_tier: str, inline: bool = False) -> None:
        self.config = config
        self.default_tier = default_tier
        self.hasher = Hasher(memory_mib=config.argon2_memory_mib, passes=config.argon2_time, inline=inline)

"""Where links lead: pure rules."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal
from urllib.parse import urlencode

Spoilt = Literal["invalid", "expired"]


@dataclass(frozen=True)
class Places:
    """Where people are sent.

    Args:
        server: What links begin with, without a trailing slash.
        frontend: The front end that handles links, without a trailing slash; "" for our own pages.
    """

    server: str
    frontend: str = ""

    def verification(self, token: str) -> str:
        """What a mail asks its reader to open."""
        return f"{self.server}/auth/verify-email?{urlencode({'token': token})}"

    def verified(self, trouble: Spoilt | None = None) -> str:
        """Where a browser goes once that was opened; on this server without its name, whatever name was used."""
        said = {"verified": "1"} if trouble is None else {"verified": "0", "error": trouble}
        page = f"{self.frontend}/login" if self.frontend else "/auth/email-verified"
        return f"{page}?{urlencode(said)}"

    def reset(self, token: str) -> str:
        """Where a forgotten password is replaced."""
        return f"{self.frontend or self.server}/reset-password?{urlencode({'token': token})}"

    def setting_up(self, token: str) -> str:
        """Where the first admin is made: always a page of our own."""
        return f"{self.server}/setup?{urlencode({'token': token})}"

    def undoing(self, token: str) -> str:
        """Where a new address is taken back: always a page of our own, for no front end has one."""
        return f"{self.server}/auth/undo-email?{urlencode({'token': token})}"

    def sign_in(self) -> str:
        """Where people sign in."""
        return f"{self.frontend or self.server}/login"

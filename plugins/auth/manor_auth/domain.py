"""Where links lead, and what names may be made here: pure rules."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal
from urllib.parse import urlencode

LONGEST_USERNAME = 32
"""Of names that are made here; other APIs of this server make longer ones, which are served as they are."""

Spent = Literal["invalid", "expired"]


@dataclass(frozen=True)
class Places:
    """Where people are sent.

    Args:
        public_url: As people reach this server, without a trailing slash; "" when the admin has not said.
        frontend_url: The front end that handles links, without a trailing slash; "" for our own pages.
    """

    public_url: str = ""
    frontend_url: str = ""

    def verification(self, token: str) -> str:
        """What a mail asks its reader to open."""
        return f"{self.public_url}/auth/verify-email?{urlencode({'token': token})}"

    def verified(self, trouble: Spent | None = None) -> str:
        """Where a browser goes once the link was opened."""
        said = {"verified": "1"} if trouble is None else {"verified": "0", "error": trouble}
        page = f"{self.frontend_url}/login" if self.frontend_url else f"{self.public_url}/auth/email-verified"
        return f"{page}?{urlencode(said)}"

    def reset(self, token: str) -> str:
        """Where a forgotten password is replaced."""
        return f"{self.frontend_url or self.public_url}/reset-password?{urlencode({'token': token})}"

    def sign_in(self) -> str:
        """Where people sign in."""
        return f"{self.frontend_url or self.public_url}/login"

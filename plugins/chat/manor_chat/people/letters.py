"""What people are written about their accounts; links lead to pages of the plugin auth, or of the front end."""

from __future__ import annotations

from dataclasses import dataclass
from urllib.parse import urlencode
from uuid import UUID

from manor import Message

VERIFY = "verify"
RESET = "reset"
"""Purposes of single-use links; the same as those of the plugin auth, so that either of the two takes them."""


@dataclass(frozen=True)
class Letters:
    """What people are written. Nothing that strangers typed stands in it.

    Args:
        server: What links begin with, without a trailing slash.
        frontend: The front end that handles links; "" for our own pages.
    """

    server: str
    frontend: str = ""

    def verification(self, to: str, token: str, user_id: UUID) -> Message:
        """Asks whether an address is its owner's."""
        link = f"{self.server}/auth/verify-email?{urlencode({'token': token})}"
        text = (
            "Somebody, hopefully you, signed up with this address or changed theirs to it.\n\n"
            f"Open this link within 48 hours to confirm it:\n\n{link}\n\n"
            "If it was not you, do nothing."
        )
        return Message(to=to, subject="Confirm your e-mail address", text=text, kind=VERIFY, link=link, user_id=user_id)

    def reset(self, to: str, token: str, user_id: UUID) -> Message:
        """Lets somebody choose a new password; an app that does it for them wants the token."""
        link = f"{self.frontend or self.server}/reset-password?{urlencode({'token': token})}"
        text = (
            "Somebody, hopefully you, asked for a new password.\n\n"
            f"Open this link within an hour to choose one:\n\n{link}\n\n"
            f"An app that does it for you wants this token:\n\n{token}\n\n"
            "If it was not you, do nothing: your password stays as it is."
        )
        return Message(to=to, subject="Choose a new password", text=text, kind=RESET, link=link, user_id=user_id)

    def password_changed(self, to: str, user_id: UUID) -> Message:
        """Tells somebody that their password is a new one."""
        text = (
            "The password of your account was replaced just now.\n\n"
            "If it was not you, ask for a new password at once and tell the admin of this server."
        )
        return Message(to=to, subject="Your password was changed", text=text, user_id=user_id)

    def email_changed(self, to: str, user_id: UUID) -> Message:
        """Tells somebody, where they were reached until now, that they are reached elsewhere."""
        text = (
            "The e-mail address of your account was replaced just now; this one is not used any more.\n\n"
            "If it was not you, tell the admin of this server at once."
        )
        return Message(to=to, subject="Your e-mail address was changed", text=text, user_id=user_id)

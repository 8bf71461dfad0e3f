"""What people are written: one function for each letter. Nothing that strangers typed stands in them."""

from __future__ import annotations

from uuid import UUID

from manor import Message
from manor_auth.domain import Places


def verification(places: Places, to: str, token: str, user_id: UUID) -> Message:
    """Asks whether an address is its owner's."""
    link = places.verification(token)
    text = (
        "Somebody, hopefully you, signed up with this address.\n\n"
        f"Open this link within 48 hours to confirm it:\n\n{link}\n\n"
        "If it was not you, do nothing: the account stays shut."
    )
    return Message(to=to, subject="Confirm your e-mail address", text=text, kind="verify", link=link, user_id=user_id)


def known_already(places: Places, to: str, user_id: UUID) -> Message:
    """Tells the owner of an address that somebody signed up with it again."""
    text = (
        "Somebody, perhaps you, tried to sign up with this address. You already have an account with it: nothing was\n"
        f"changed. Sign in, or reset your password, here:\n\n{places.sign_in()}\n"
    )
    return Message(to=to, subject="You already have an account", text=text, kind="notice", user_id=user_id)


def reset(places: Places, to: str, token: str, user_id: UUID) -> Message:
    """Lets somebody choose a new password."""
    link = places.reset(token)
    text = (
        "Somebody, hopefully you, asked for a new password.\n\n"
        f"Open this link within an hour to choose one:\n\n{link}\n\n"
        "If it was not you, do nothing: your password stays as it is."
    )
    return Message(to=to, subject="Choose a new password", text=text, kind="reset", link=link, user_id=user_id)


def no_password(places: Places, to: str, provider: str, user_id: UUID) -> Message:
    """Tells somebody who came through a provider that there is no password to reset."""
    text = (
        "Somebody, hopefully you, asked for a new password. Your account has none: sign in with the button for\n"
        f"{provider}, here:\n\n{places.sign_in()}\n"
    )
    return Message(to=to, subject="Your account has no password", text=text, kind="notice", user_id=user_id)


def password_changed(to: str, user_id: UUID) -> Message:
    """Tells somebody that their password is a new one."""
    text = (
        "The password of your account was replaced just now, and you are signed out everywhere.\n\n"
        "If it was not you, ask for a new password at once and tell the admin of this server."
    )
    return Message(to=to, subject="Your password was changed", text=text, kind="notice", user_id=user_id)


def email_changed(places: Places, to: str, token: str, user_id: UUID) -> Message:
    """Tells somebody, where they were reached until now, that they are reached elsewhere from now on."""
    link = places.undoing(token)
    text = (
        "The e-mail address of your account was replaced just now; this one is not used any more.\n\n"
        f"If it was not you, open this link within 7 days to have it back, and to sign out everybody else:\n\n{link}\n"
    )
    return Message(
        to=to, subject="Your e-mail address was changed", text=text, kind="undo-email", link=link, user_id=user_id
    )


def login_linked(places: Places, to: str, provider: str, user_id: UUID) -> Message:
    """Tells somebody that their account opens to an account at a provider from now on."""
    text = (
        f"From now on your account opens to an account at {provider}, too.\n\n"
        f"If it was not you, change your password at once and tell the admin of this server. You sign in here:\n\n"
        f"{places.sign_in()}\n"
    )
    return Message(to=to, subject="A new way to sign in", text=text, kind="notice", user_id=user_id)

"""What people say about themselves, checked by the API's rules, and refused in its words."""

from __future__ import annotations

import unicodedata
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from manor import BadRequest, Conflict, Request, Unprocessable, check_password
from manor_chat import faults
from manor_chat.domain import people_rules as rules
from manor_chat.http.api import OAUTH

_TAKEN = {
    "username": ("app.user.save.username_exists.app_error", "An account with that username already exists."),
    "email": ("app.user.save.email_exists.app_error", "An account with that email already exists."),
}


@contextmanager
def refusals_of_chat() -> Iterator[None]:
    """Word what the core refuses about names and addresses as this API does.

    Raises:
        BadRequest: 400: somebody has it, or it cannot be one.
        Forbidden: 403: it is the server itself.
    """
    try:
        yield
    except Conflict as conflict:
        field = conflict.errors[0].field if conflict.errors else ""
        if field not in _TAKEN:
            raise faults.no_permission() from conflict
        code, detail = _TAKEN[field]
        raise BadRequest(detail, code=code) from conflict
    except Unprocessable as refused:
        raise invalid(refused.errors[0].field if refused.errors else "") from refused


def invalid(field: str) -> BadRequest:
    """400: this member of a user cannot be that."""
    return BadRequest(f"Invalid value for the {field} of a user.", code=f"model.user.is_valid.{field}.app_error")


def checked_username(username: str) -> str:
    """A new username, in lower case.

    Raises:
        BadRequest: 400: it cannot be one.
    """
    folded = username.strip().lower()
    if not rules.is_username(folded):
        raise BadRequest(rules.USERNAME_RULE, code=invalid("username").code)
    return folded


def checked_email(email: str) -> str:
    """A new address, in lower case; whether it looks like one is the core's to say.

    Raises:
        BadRequest: 400: it is none, or too long.
    """
    folded = email.strip().lower()
    if not folded or len(folded) > rules.EMAIL:
        raise invalid("email")
    return folded


def check_new_password(password: str, *, username: str, email: str) -> None:
    """See that a new password may be one.

    Raises:
        BadRequest: 400: it is too short, too long, or among the first that are tried.
    """
    if len(unicodedata.normalize("NFC", password)) < rules.PASSWORD_LEAST:
        raise _password("pwd_min_length", f"must contain at least {rules.PASSWORD_LEAST} characters")
    if len(password.encode("utf-8", "surrogatepass")) > rules.PASSWORD_BYTES:
        raise _password("pwd_max_length", f"must be at most {rules.PASSWORD_BYTES} bytes")
    try:
        check_password(password, username=username, email=email or None)
    except Unprocessable as refused:
        raise _password("pwd", f"cannot be taken: {refused.errors[0].message}") from refused


def _password(rule: str, what: str) -> BadRequest:
    return BadRequest(f"Your password {what}.", code=f"model.user.is_valid.{rule}.app_error")


def is_app(request: Request[Any, Any]) -> bool:
    """Whether a program asks that somebody lets act for them."""
    return any(each.kind == OAUTH for each in request.principals)


def refuse_apps(request: Request[Any, Any]) -> None:
    """See that no app acts for somebody in what an operation does besides; where it may none of it, see `IN_PERSON`.

    Raises:
        Forbidden: 403: an app asks.
    """
    if is_app(request):
        raise faults.no_permission()

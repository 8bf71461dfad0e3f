"""What paths and queries say."""

from __future__ import annotations

import re
from typing import Any
from uuid import UUID

import msgspec

from manor import Request
from manor_chat import faults
from manor_chat.ids import read_id

PER_PAGE = 60
MOST_PER_PAGE = 200

_DIGITS = re.compile(r"[0-9]+")
_HUGE = 10**15
"""More than there is of anything, and times any page's length still a number of SQLite's."""

_LONG_NUMBER = re.compile(r"[0-9]{1,16}")


def id_param(request: Request[Any, Any], name: str) -> UUID:
    """An id in the path.

    Raises:
        BadRequest: 400: it is malformed.
    """
    found = read_id(request.params[name])
    if found is None:
        raise faults.bad_url_param(name)
    return found


def user_param(request: Request[Any, Any], name: str = "user_id") -> UUID:
    """A user's id in the path; `me` is whoever asks.

    Raises:
        BadRequest: 400: it is malformed.
    """
    if request.params[name] == "me" and request.user_id is not None:
        return request.user_id
    return id_param(request, name)


def asked_id(text: str, name: str) -> UUID | None:
    """An id in a query that may be left out.

    Raises:
        BadRequest: 400: it is malformed.
    """
    if not text:
        return None
    found = read_id(text)
    if found is None:
        raise faults.bad_url_param(name)
    return found


def id_member(value: str, name: str) -> UUID:
    """An id in a body.

    Raises:
        BadRequest: 400: it is malformed.
    """
    found = read_id(value)
    if found is None:
        raise faults.bad_body_param(name)
    return found


def same_id_param(request: Request[Any, Any], name: str, value: str) -> UUID:
    """An id in the path that the body may repeat.

    Raises:
        BadRequest: 400: it is malformed, or the body has another one.
    """
    found = id_param(request, name)
    if value and id_member(value, name) != found:
        raise faults.bad_body_param(name)
    return found


def id_members(values: list[str], name: str, *, most: int = 1000) -> list[UUID]:
    """Ids in a body, each once.

    Raises:
        BadRequest: 400: there are none, or too many, or one is malformed.
    """
    if not 1 <= len(values) <= most:
        raise faults.bad_body_param(name)
    return list(dict.fromkeys(id_member(value, name) for value in values))


def number_query(text: str, name: str) -> int:
    """A number in the query that is not negative, such as a time in milliseconds; 0 for none.

    Raises:
        BadRequest: 400: it is malformed.
    """
    if not text:
        return 0
    if _LONG_NUMBER.fullmatch(text) is None:
        raise faults.bad_url_param(name)
    return int(text)


def count_query(text: str, default: int) -> int:
    """A number in the query that says how much of a list is wanted, or where it begins.

    Args:
        text: As it came.
        default: For what is no number, or negative.

    Returns:
        It; one that is larger than any list is cut down.
    """
    if _DIGITS.fullmatch(text) is None:
        return default
    return min(int(text), _HUGE) if len(text) <= len(str(_HUGE)) else _HUGE


class PageQuery(msgspec.Struct, frozen=True, kw_only=True):
    """Which part of a list; what is no number, or negative, is the default."""

    page: str = ""
    per_page: str = ""

    @property
    def limit(self) -> int:
        """How many."""
        return min(count_query(self.per_page, PER_PAGE) or PER_PAGE, MOST_PER_PAGE)

    @property
    def offset(self) -> int:
        """Behind how many."""
        return count_query(self.page, 0) * self.limit

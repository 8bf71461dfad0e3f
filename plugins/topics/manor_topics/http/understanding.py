"""Whether a request that publishes can be understood, and what is answered when it cannot."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

from manor import BadRequest, Headers, TooLarge, UnsupportedMediaType
from manor_topics.creating import refusal
from manor_topics.domain import Misfit
from manor_topics.drafts import BrokenJson, MessageTooLong
from manor_topics.ntfy.drafts import NoAttachments

T = TypeVar("T")


def understood(read: Callable[[], T]) -> T:
    """What a request says, with its faults as refusals.

    Raises:
        Refused: It cannot be understood.
    """
    try:
        return read()
    except Misfit as misfit:
        raise refusal(misfit) from misfit
    except BrokenJson as error:
        raise BadRequest(str(error)) from error
    except MessageTooLong as error:
        raise TooLarge(str(error)) from error
    except NoAttachments as error:
        raise UnsupportedMediaType(str(error)) from error


def check_encoding(headers: Headers) -> None:
    """See that a body is what it looks like.

    Raises:
        UnsupportedMediaType: It is compressed.
    """
    if "content-encoding" not in headers:
        return
    codings = [coding.strip() for line in headers.get_all("Content-Encoding") for coding in line.split(",")]
    coding = next((coding for coding in codings if coding.lower() not in ("", "identity")), None)
    if coding is not None:
        raise UnsupportedMediaType(
            f"A message is sent as it is, without a Content-Encoding such as '{coding[:64]}'",
            headers={"Accept-Encoding": "identity"},
        )

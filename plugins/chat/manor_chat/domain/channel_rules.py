"""What a channel of a team may be called and say of itself, and what channels of people are called."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import NamedTuple

from manor_chat.domain.names import DISPLAY_NAME, HEADER, PURPOSE, is_channel_name, is_direct_name

OF_GROUP = range(3, 9)
"""How many people a group channel has."""


class Misfit(NamedTuple):
    """Why a channel cannot be like this.

    Args:
        code: The id that clients compare.
        detail: For people.
    """

    code: str
    detail: str


def misfit_of(members: Mapping[str, str]) -> Misfit | None:
    """What is wrong with what a channel is to be called and to say of itself, the first thing only.

    Args:
        members: Of `name`, `display_name`, `header` and `purpose` those that are new.

    Returns:
        None when all is well.
    """
    return next((misfit for name, text in members.items() if (misfit := _CHECKS[name](text))), None)


def _name_misfit(name: str) -> Misfit | None:
    if is_direct_name(name):
        return Misfit("model.channel.is_valid.name.app_error", "Invalid channel name: it looks like two user ids.")
    if not is_channel_name(name):
        return Misfit(
            "model.channel.is_valid.1_or_more.app_error",
            "Invalid channel name: expected 1 to 64 of a to z, digits, '-' and '_', a letter or digit first.",
        )
    return None


def _display_name_misfit(display_name: str) -> Misfit | None:
    if display_name.strip() and len(display_name) <= DISPLAY_NAME:
        return None
    return Misfit(
        "model.channel.is_valid.display_name.app_error",
        f"Invalid display name: expected 1 to {DISPLAY_NAME} characters.",
    )


def _header_misfit(header: str) -> Misfit | None:
    if len(header) <= HEADER:
        return None
    return Misfit("model.channel.is_valid.header.app_error", f"Invalid header: longer than {HEADER} characters.")


def _purpose_misfit(purpose: str) -> Misfit | None:
    if len(purpose) <= PURPOSE:
        return None
    return Misfit("model.channel.is_valid.purpose.app_error", f"Invalid purpose: longer than {PURPOSE} characters.")


_CHECKS: Mapping[str, Callable[[str], Misfit | None]] = {
    "name": _name_misfit,
    "display_name": _display_name_misfit,
    "header": _header_misfit,
    "purpose": _purpose_misfit,
}


def direct_name(one: str, other: str) -> str:
    """The name of the channel of two people, by their ids; of one with themselves when both are the same."""
    return "__".join(sorted((one, other)))


def group_name(ids: Iterable[str]) -> str:
    """The name of a group channel, by the ids of its people."""
    return hashlib.sha1("".join(sorted(ids)).encode(), usedforsecurity=False).hexdigest()


def group_display_name(usernames: Sequence[str]) -> str:
    """What a group channel is called: by its people, as far as there is room."""
    return ", ".join(sorted(usernames))[:DISPLAY_NAME]

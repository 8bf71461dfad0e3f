"""What a channel of a team may be called and say of itself, and what channels of people are called."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Sequence
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


def misfit_of(*, name: str, display_name: str, header: str, purpose: str) -> Misfit | None:
    """What is wrong with a channel of a team, the first thing only; None when all is well."""
    if is_direct_name(name):
        return Misfit("model.channel.is_valid.name.app_error", "Invalid channel name: it looks like two user ids.")
    if not is_channel_name(name):
        return Misfit(
            "model.channel.is_valid.1_or_more.app_error",
            "Invalid channel name: expected 1 to 64 of a to z, digits, '-' and '_', a letter or digit first.",
        )
    if not len(display_name.strip()) >= 1 or len(display_name) > DISPLAY_NAME:
        return Misfit(
            "model.channel.is_valid.display_name.app_error",
            f"Invalid display name: expected 1 to {DISPLAY_NAME} characters.",
        )
    return misfit_of_words(header=header, purpose=purpose)


def misfit_of_words(*, header: str, purpose: str = "") -> Misfit | None:
    """What is wrong with what any channel says of itself."""
    if len(header) > HEADER:
        return Misfit("model.channel.is_valid.header.app_error", f"Invalid header: longer than {HEADER} characters.")
    if len(purpose) > PURPOSE:
        return Misfit("model.channel.is_valid.purpose.app_error", f"Invalid purpose: longer than {PURPOSE} characters.")
    return None


def direct_name(one: str, other: str) -> str:
    """The name of the channel of two people, by their ids; of one with themselves when both are the same."""
    return "__".join(sorted((one, other)))


def group_name(ids: Iterable[str]) -> str:
    """The name of a group channel, by the ids of its people."""
    return hashlib.sha1("".join(sorted(ids)).encode(), usedforsecurity=False).hexdigest()


def group_display_name(usernames: Sequence[str]) -> str:
    """What a group channel is called: by its people, as far as there is room."""
    return ", ".join(sorted(usernames))[:DISPLAY_NAME]

"""What a post may be: the limits that hold however it is written."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import msgspec

from manor_chat import faults
from manor_chat.domain.names import FILES_OF_A_POST, MESSAGE, PROPS
from manor_chat.domain.nesting import is_too_deep


def check_message(message: str) -> None:
    """See that a message is not too long.

    Raises:
        BadRequest: 400.
    """
    if len(message) > MESSAGE:
        raise faults.bad_value(
            "model.post.is_valid.msg.app_error", f"Post Message property is longer than {MESSAGE} characters."
        )


def check_props(props: dict[str, Any]) -> None:
    """See that props are not too long, as JSON, nor too deep.

    Raises:
        BadRequest: 400.
    """
    if props and (is_too_deep(props) or len(msgspec.json.encode(props).decode()) > PROPS):
        raise faults.bad_value("model.post.is_valid.props.app_error", "Invalid props.")


def check_file_count(ids: Sequence[object]) -> None:
    """See that there are not too many files.

    Raises:
        BadRequest: 400.
    """
    if len(ids) > FILES_OF_A_POST:
        raise faults.bad_value(
            "model.post.is_valid.file_ids.app_error", f"Invalid file ids: a post has {FILES_OF_A_POST} at most."
        )

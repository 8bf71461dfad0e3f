"""What an encoder does, as far as somebody else has to know. Its frames come as `manor_stream.media.Media`."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from manor_stream.media import Media


@dataclass(frozen=True)
class PublishAsked:
    """It wants to publish, and waits for `accept` or `refuse`.

    Args:
        key: The stream key, as far as it stands where encoders put it.
    """

    key: str = field(repr=False)


@dataclass(frozen=True)
class Described:
    """It says what it is about to send (`onMetaData`).

    Args:
        values: By name; whatever it likes, numbers as floats.
    """

    values: Mapping[str, Any]


@dataclass(frozen=True)
class PublishEnded:
    """It has stopped, and said so."""


Event = PublishAsked | Described | PublishEnded | Media

"""Commands of an encoder, and where it puts the stream key."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from manor_stream.rtmp import amf0
from manor_stream.rtmp.errors import ProtocolError


@dataclass(frozen=True)
class Command:
    """A command.

    Args:
        name: What is to be done.
        transaction: The number that the answer has to carry; 0 when none is wanted.
        details: The object that comes first.
        arguments: All that follows.
    """

    name: str
    transaction: float
    details: Mapping[str, Any]
    arguments: Sequence[Any]

    def text_of(self, name: str) -> str:
        """A member of the details; "" when it is none or no text."""
        value = self.details.get(name)
        return value if isinstance(value, str) else ""

    @property
    def first_text(self) -> str:
        """The first argument; "" when it is none or no text."""
        return self.arguments[0] if self.arguments and isinstance(self.arguments[0], str) else ""


def read_command(body: bytes) -> Command:
    """Read one.

    Raises:
        ProtocolError: It is none.
    """
    match amf0.read_all(body):
        case [str(name), float(transaction), *rest]:
            details = rest[0] if rest and isinstance(rest[0], dict) else {}
            return Command(name, transaction, details, rest[1:])
        case _:
            raise ProtocolError("a command without its name or number")


def key_of(app: str, stream_name: str) -> str:
    """The stream key: what stands last in `rtmp://host/APP/NAME`, without a query.

    Encoders ask for a server and a key, and people put the key into either, or into both with a slash between. Which
    app they name says nothing.
    """
    name = _last_component(stream_name)
    return name or _last_component(app)


def _last_component(text: str) -> str:
    return text.partition("?")[0].rstrip("/").rpartition("/")[2]

"""What a device is to show, and what became of it: the words that push services' providers have in common. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol
from uuid import UUID

from manor_topics.messages import Message

SHORTENED = "…"


@dataclass(frozen=True, slots=True)
class Notice:
    """A message, as one device is told of it.

    Args:
        message: As it is now.
        until: Nobody wants to hear of it later.
        unread: How many messages of the topic this person has not read.
        badge: How many of all their topics.
        sound: What their own settings say: a sound's name; None for silence.
        vibrates: Whether their own settings let it.
        subscription_id: The subscription that it comes from; None for a trial.
    """

    message: Message
    until: datetime
    unread: int = 0
    badge: int = 0
    sound: str | None = "default"
    vibrates: bool = True
    subscription_id: UUID | None = None


@dataclass(frozen=True, slots=True)
class Letter:
    """A notice, and where it goes."""

    push_token: str
    notice: Notice


@dataclass(frozen=True, slots=True)
class Taken:
    """The push service has it. A ticket, if there is one, is what it is asked by later what became of it."""

    ticket: str = ""


@dataclass(frozen=True, slots=True)
class Dead:
    """The device is not reached in this way any more, and never will be again."""

    reason: str


@dataclass(frozen=True, slots=True)
class Failed:
    """It was not taken.

    Args:
        reason: One line for the admin and the device's owner, without secrets.
        is_final: Trying again is of no use.
        wait: Seconds that the push service asked us to wait.
    """

    reason: str
    is_final: bool = False
    wait: float = 0.0


Outcome = Taken | Dead | Failed


class Provider(Protocol):
    """A way to push. It claims nothing that did not happen: what it cannot know has failed."""

    @property
    def platforms(self) -> frozenset[str]:
        """The devices that it reaches."""
        ...

    @property
    def most(self) -> int:
        """How many letters one request takes."""
        ...

    async def send(self, letters: Sequence[Letter]) -> Sequence[Outcome]:
        """Have letters delivered; what became of each, in their order."""
        ...


def shortened(text: str, most_bytes: int) -> str:
    """A text of at most so many bytes of UTF-8; one that was cut says so at its end."""
    encoded = text.encode(errors="surrogatepass")
    if len(encoded) <= most_bytes:
        return text
    room = max(0, most_bytes - len(SHORTENED.encode()))
    return encoded[:room].decode(errors="ignore").rstrip() + SHORTENED


def answer_text(body: bytes) -> str:
    """The beginning of what a push service said, on one line."""
    text = " ".join(body[:1000].decode(errors="replace").split())
    return "".join(character for character in text if character.isprintable())[:200]

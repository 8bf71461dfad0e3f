"""Holds what was acknowledged against what is there afterwards. Pure: the fetching happens elsewhere."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

import msgspec

SHOWN = 5
"""At most this many examples of one kind of fault are told."""


class Acknowledged(msgspec.Struct, frozen=True):
    """A publish that was answered with 200."""

    id: str
    text: str
    nanoseconds: int
    """When the answer was read, by `time.monotonic_ns()`."""


class Stored(msgspec.Struct, frozen=True):
    """A message as the daemon has it (in its history, its database or on a stream)."""

    id: str
    sequence: int
    message: str


def text_of(publisher: int, number: int, padding: int = 0) -> str:
    """Make the text of a publisher's n-th message, from which `faults` reads the order it was sent in.

    With `padding` that many bytes are added, to fill a disk faster.
    """
    return f"{publisher}-{number}" + (f" {'.' * padding}" if padding else "")


def _name_of(text: str) -> str:
    return text.partition(" ")[0]


def faults(acknowledged: Iterable[Acknowledged], stored: Sequence[Stored]) -> list[str]:
    """Name every broken promise; an empty list means that all were kept.

    Args:
        acknowledged: what the publishers were promised.
        stored: all messages of the one topic that they published to, in the order of their `sequence`.
    """
    found: list[str] = []
    found += _some("acknowledged and lost", _lost(acknowledged, stored))
    found += _some("stored twice", _twice(stored))
    found += _some("gap in the sequence", _gaps(stored))
    found += _some("out of order", _disorder(stored))
    return found


def stream_faults(heard: Sequence[Stored], stored: Sequence[Stored]) -> list[str]:
    """Name where a reader that resumed through every break heard something other than what is stored.

    Args:
        heard: every message of the stream, in the order it came, from the topic's first on.
        stored: all messages of the topic, in the order of their `sequence`.
    """
    found: list[str] = []
    known = {message.id for message in heard}
    found += _some("never heard", (_name_of(message.message) for message in stored if message.id not in known))
    found += _some("heard twice or late", _disordered_sequences(heard))
    known = {message.id for message in stored}
    found += _some("heard and not stored", (_name_of(message.message) for message in heard if message.id not in known))
    return found


def _some(kind: str, examples: Iterable[str]) -> Iterator[str]:
    every = list(examples)
    if every:
        more = f" and {len(every) - SHOWN} more" if len(every) > SHOWN else ""
        yield f"{kind}: {', '.join(every[:SHOWN])}{more}"


def _lost(acknowledged: Iterable[Acknowledged], stored: Sequence[Stored]) -> Iterator[str]:
    kept = {(message.id, message.message) for message in stored}
    return (_name_of(promise.text) for promise in acknowledged if (promise.id, promise.text) not in kept)


def _twice(stored: Sequence[Stored]) -> Iterator[str]:
    seen: set[str | int] = set()
    for message in stored:
        name = _name_of(message.message)
        for mark in (message.id, message.sequence, name):
            if mark in seen:
                yield f"{name} ({mark!r})"
            seen.add(mark)


def _gaps(stored: Sequence[Stored]) -> Iterator[str]:
    expected = 1
    for message in stored:
        if message.sequence > expected:
            yield f"{expected}..{message.sequence - 1}"
        expected = message.sequence + 1


def _disorder(stored: Sequence[Stored]) -> Iterator[str]:
    last: dict[str, int] = {}
    for message in stored:
        name = _name_of(message.message)
        publisher, _, number = name.partition("-")
        if int(number) < last.get(publisher, -1):
            yield name
        last[publisher] = int(number)


def _disordered_sequences(heard: Sequence[Stored]) -> Iterator[str]:
    last = 0
    for message in heard:
        if message.sequence <= last:
            yield _name_of(message.message)
        last = max(last, message.sequence)

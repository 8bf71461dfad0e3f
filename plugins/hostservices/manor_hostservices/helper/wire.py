"""What goes over the border: a verb in one line of JSON, an answer in one line of JSON, and nothing else."""

from __future__ import annotations

from typing import Any, TypeVar

import msgspec

from manor_hostservices.refusals import REFUSALS, Failed, HostRefusal, Invalid, Kind
from manor_hostservices.verbs import AnyVerb, DeleteUser, Pull, SetBackupStore, SwitchService, Verb, decode_verb

A = TypeVar("A")

LINE_LIMIT = 64 << 10
"""Bytes of a verb; the largest is a public key of 8,192 characters."""

ANSWER_LIMIT = 32 << 20
"""Bytes of an answer; a repository of many years has thousands of backups."""

DETAIL_LIMIT = 2000
"""Characters of a refusal's sentence."""

_SECONDS: dict[type[Any], float] = {DeleteUser: 150.0, Pull: 90.0, SetBackupStore: 120.0, SwitchService: 300.0}
"""How long a verb may take; stopping a database takes some time."""

_MOST_VERBS = 100.0


class Refusal(msgspec.Struct, frozen=True):
    """How the host says no."""

    kind: Kind
    detail: str


class Said(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A line of the helper's: one of both."""

    answer: msgspec.Raw | msgspec.UnsetType = msgspec.UNSET
    refused: Refusal | msgspec.UnsetType = msgspec.UNSET


def seconds_for(verb: Verb[Any]) -> float:
    """How long a verb may take."""
    return _SECONDS.get(type(verb), _MOST_VERBS)


def encode_verb(verb: Verb[Any]) -> bytes:
    """A verb as a line.

    Raises:
        Invalid: It is too long.
    """
    line = msgspec.json.encode(verb) + b"\n"
    if len(line) > LINE_LIMIT:
        raise Invalid("This is too long")
    return line


def read_verb(line: bytes) -> AnyVerb:
    """Read a verb.

    Raises:
        Invalid: It is none; the sentence says what is wrong with it.
    """
    try:
        return decode_verb(line)
    except RecursionError as error:
        raise Invalid("Not a verb: it is nested too deep") from error
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise Invalid(f"Not a verb: {error}"[:DETAIL_LIMIT]) from error


def encode_answer(answer: object) -> bytes:
    """An answer as a line."""
    return b'{"answer":' + msgspec.json.encode(answer) + b"}\n"


def encode_refusal(refusal: HostRefusal) -> bytes:
    """A refusal as a line."""
    return msgspec.json.encode({"refused": Refusal(refusal.kind, refusal.detail[:DETAIL_LIMIT])}) + b"\n"


def read_answer(line: bytes, verb: Verb[A]) -> A:
    """Read what the helper says.

    Raises:
        HostRefusal: It refuses.
        Failed: It says something else than what a helper says.
    """
    try:
        said = msgspec.json.decode(line, type=Said)
        if isinstance(said.refused, Refusal):
            raise REFUSALS[said.refused.kind](said.refused.detail)
        if isinstance(said.answer, msgspec.Raw):
            answer: A = msgspec.json.decode(said.answer, type=verb.answer_type())
            return answer
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise Failed("The root helper is not of the same version: restart manor-host.service") from error
    raise Failed("The root helper says nothing")

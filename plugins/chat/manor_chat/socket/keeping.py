"""Lines from one run of the server to the next: a file, written at a clean stop and used up by the start."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from uuid import UUID

import msgspec
import structlog
import trio

from manor_chat.socket.hub import RESUMABLE_SECONDS
from manor_chat.socket.lines import Line
from manor_chat.socket.roster import Listener, Standing

MOST_KEPT = 5000
"""Lines that are kept; those that were dropped first go first."""

MOST_BYTES = 64 * 1024 * 1024
"""Kept in all. What many lines were told is kept once."""

log = structlog.get_logger("manor.chat")


class KeptLine(msgspec.Struct, array_like=True):
    """A line; its events are numbers of texts.

    Args:
        connection_id: What its client knows.
        user_id: Whose it is.
        session_id: See `Line`.
        credential_id: See `Line`.
        next_seq: See `Line`.
        dropped_at: When its client went, in milliseconds since 1970.
        sent: What was sent and is kept.
        waiting: What was not sent yet.
    """

    connection_id: str
    user_id: UUID
    session_id: UUID | None
    credential_id: UUID | None
    next_seq: int
    dropped_at: int
    sent: list[int]
    waiting: list[int]


class Kept(msgspec.Struct):
    """What is kept.

    Args:
        position: The last position that was committed: what is kept goes on from there or not at all.
        texts: Each once.
        lines: Those whose clients may come back.
    """

    position: int
    texts: list[str]
    lines: list[KeptLine]

    @property
    def user_ids(self) -> set[UUID]:
        """Whose lines they are."""
        return {line.user_id for line in self.lines}


def pack(lines: Sequence[Line], *, position: int, now: int) -> Kept:
    """Lines as they are kept.

    Args:
        lines: Without sockets.
        position: See `Kept`.
        now: In milliseconds since 1970.
    """
    kept = Kept(position, [], [])
    numbers: dict[int, int] = {}
    room = MOST_BYTES
    for line in sorted(lines, key=lambda each: -each.dropped_at)[:MOST_KEPT]:
        sent, waiting = line.held
        # By identity: lines that were told the same share the text.
        fresh = {id(text): text for text in (*sent, *waiting) if id(text) not in numbers}
        room -= sum(map(len, fresh.values()))
        if room < 0:
            break
        for text in fresh.values():
            numbers[id(text)] = len(kept.texts)
            kept.texts.append(text.decode())
        kept.lines.append(
            KeptLine(
                line.connection_id,
                line.listener.user_id,
                line.session_id,
                line.credential_id,
                line.next_seq,
                now - int(1000 * (trio.current_time() - line.dropped_at)),
                [numbers[id(text)] for text in sent],
                [numbers[id(text)] for text in waiting],
            )
        )
    return kept


def unpack(kept: Kept, standings: dict[UUID, Standing], *, position: int, now: int) -> list[Line]:
    """Lines as they were, of people whose accounts are still active and for whom it is not too late.

    Args:
        kept: What was kept.
        standings: What these people are in now.
        position: The last position that is committed now.
        now: In milliseconds since 1970.
    """
    if position != kept.position:
        # Something was written while nobody collected, or this is another state of the database.
        return []
    listeners = {user_id: Listener(user_id, standing) for user_id, standing in standings.items()}
    texts = [text.encode() for text in kept.texts]
    lines = []
    for each in kept.lines:
        away = max(0, now - each.dropped_at) / 1000
        listener = listeners.get(each.user_id)
        if listener is None or away >= RESUMABLE_SECONDS:
            continue
        line = Line(
            each.connection_id,
            listener,
            session_id=each.session_id,
            credential_id=each.credential_id,
            next_seq=each.next_seq,
        )
        line.dropped_at = trio.current_time() - away
        line.hold([texts[at] for at in each.sent], [texts[at] for at in each.waiting])
        lines.append(line)
    return lines


def write(path: Path, kept: Kept) -> None:
    """Keep it. Blocks for some milliseconds: at a stop, when nobody is served any more."""
    temporary = path.with_suffix(".new")
    try:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        temporary.unlink(missing_ok=True)
        temporary.touch(mode=0o600, exist_ok=False)
        temporary.write_bytes(msgspec.msgpack.encode(kept))
        temporary.rename(path)
    except OSError as error:
        log.warning("clients cannot go on after the restart: nothing was kept", reason=str(error))


def use_up(path: Path) -> Kept | None:
    """What was kept, which is gone from here on: after a crash there is nothing. Blocks, at a start."""
    try:
        data = path.read_bytes()
    except OSError:
        return None
    path.unlink()
    try:
        kept = msgspec.msgpack.decode(data, type=Kept)
        # Looked at as a whole now, so that nothing of it fails later.
        most = len(kept.texts)
        if any(not 0 <= at < most for line in kept.lines for at in (*line.sent, *line.waiting)):
            raise msgspec.ValidationError("a number without its text")
    except (msgspec.DecodeError, ValueError) as error:
        log.warning("clients cannot go on: what was kept cannot be read", reason=str(error))
        return None
    return kept

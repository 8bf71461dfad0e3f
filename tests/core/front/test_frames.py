"""What a WebSocket's client says, and what is kept of it until it is whole."""

from __future__ import annotations

import tracemalloc

import pytest

from manor.front.frames import Listener
from tests.websocket_bytes import BINARY, TEXT, frame

LIMIT = 262_144


@pytest.mark.parametrize(("opcode", "piece"), [(TEXT, b""), (BINARY, b"x")])
def test_a_message_in_many_pieces_takes_no_more_memory_than_in_one(opcode: int, piece: bytes) -> None:
    listener = Listener(LIMIT)
    more = frame(piece, opcode=0, is_final=False) * 1000
    heard = list(listener.hear(frame(piece, opcode=opcode, is_final=False)))

    tracemalloc.start()
    try:
        for _ in range(4):
            heard += listener.hear(more)
        held, _ = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    (whole,) = listener.hear(frame(b"", opcode=0))

    assert (heard, len(whole) if isinstance(whole, (str, bytes)) else whole) == ([], len(piece) * 4_001)
    assert held < 25_000

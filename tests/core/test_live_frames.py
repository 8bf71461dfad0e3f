"""The bytes of both streaming wires."""

from __future__ import annotations

import pytest

from manor.live import Entry, chunk, closing_frame, sse_frame, typed_text, websocket_frame
from manor.live.pieces import Piece, pieces
from manor.routing import GOING_AWAY, Closing, Wire


def test_an_event_has_its_id_type_and_data_on_lines_of_their_own() -> None:
    assert sse_frame("message", b'{"a":1}', id="7") == b'id: 7\nevent: message\ndata: {"a":1}\n\n'


def test_a_retry_time_leads_the_event() -> None:
    assert sse_frame("ready", b"{}", retry=3000) == b"retry: 3000\nevent: ready\ndata: {}\n\n"


def test_empty_data_is_an_empty_line_that_is_present() -> None:
    assert sse_frame("ping", b"") == b"event: ping\ndata:\n\n"


@pytest.mark.parametrize("text", [b"a\nb", b"a\rb", b"a\r\nb"])
def test_no_line_end_of_the_data_ends_the_event(text: bytes) -> None:
    assert sse_frame("", text) == b"data: a\ndata: b\n\n"


def test_the_type_comes_first_in_a_text() -> None:
    assert typed_text("message", b'{"id":"x"}') == b'{"type":"message","id":"x"}'
    assert typed_text("ping", b"{}") == b'{"type":"ping"}'


@pytest.mark.parametrize(
    ("size", "head"),
    [
        (0, b"\x81\x00"),
        (125, b"\x81\x7d"),
        (126, b"\x81\x7e\x00\x7e"),
        (65_535, b"\x81\x7e\xff\xff"),
        (65_536, b"\x81\x7f\x00\x00\x00\x00\x00\x01\x00\x00"),
    ],
)
def test_a_frame_says_its_length_in_the_shortest_form(size: int, head: bytes) -> None:
    assert websocket_frame(b"x" * size) == head + b"x" * size


def test_a_close_frame_carries_the_code_and_the_reason() -> None:
    assert closing_frame(GOING_AWAY) == b"\x88\x19\x03\xe9server is shutting down"


def test_a_long_reason_is_cut_between_characters() -> None:
    frame = closing_frame(Closing(4403, "ą" * 100))
    assert len(frame) <= 127
    assert frame[4:].decode() == "ą" * 61


def test_a_chunk_says_its_length_in_hexadecimal() -> None:
    assert chunk(b"x" * 26) == b"1a\r\n" + b"x" * 26 + b"\r\n"


def test_an_entry_is_encoded_once_for_a_wire() -> None:
    entry = Entry(1, "message", b'{"id":"x"}', id="x")

    for wire in Wire:
        assert entry.frame(wire) is entry.frame(wire)

    assert entry.frame(Wire.SSE_CHUNK) == chunk(entry.frame(Wire.SSE))
    assert entry.frame(Wire.FRAME) == websocket_frame(b'{"type":"message","id":"x"}')


def test_a_text_of_its_own_replaces_the_typed_data() -> None:
    entry = Entry(0, "ping", b"", text=b'{"type":"ping","timestamp":"now"}')

    assert entry.frame(Wire.SSE) == b"event: ping\ndata:\n\n"
    assert entry.frame(Wire.TEXT) == b'{"type":"ping","timestamp":"now"}'


def test_entries_are_joined_up_to_a_bound_and_those_of_one_position_stay_together() -> None:
    def made(position: int, size: int) -> Entry:
        return Entry(position, "message", b"", text=b"x" * size)

    entries = [made(1, 40_000), made(2, 20_000), made(3, 40_000), made(3, 40_000), made(4, 70_000), made(5, 0)]
    joined = list(pieces(entries, lambda entry: entry.frame(Wire.TEXT)))

    assert [(len(piece.data), piece.last, piece.is_last) for piece in joined] == [
        (60_000, 2, False),
        (80_000, 3, False),
        (70_000, 5, True),
    ]


def test_nothing_to_say_is_one_empty_piece_that_still_moves_on() -> None:
    (piece,) = pieces([Entry(7, "message", b"")], lambda entry: b"")

    assert (piece.data, piece.last) == (b"", 7)


@pytest.mark.parametrize(("taken", "rest"), [(0, b""), (1, b"bc"), (3, b""), (4, b"e"), (5, b"")])
def test_the_rest_of_a_frame_ends_where_the_frame_does(taken: int, rest: bytes) -> None:
    assert Piece([b"abc", b"de"], 1).rest_of_frame(taken) == rest

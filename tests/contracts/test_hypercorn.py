"""What is used of hypercorn's, h11's and quart-trio's insides: an upgrade that changes any of it fails here first."""

from __future__ import annotations

import inspect
from importlib.metadata import version
from typing import Any

import h11
import hypercorn.events
import hypercorn.protocol.events
import pytest
from h11._readers import ChunkedReader
from h11._receivebuffer import ReceiveBuffer
from hypercorn.config import Config
from hypercorn.protocol.h2 import H2Protocol
from hypercorn.protocol.h11 import H11Protocol, H11WSConnection
from hypercorn.protocol.http_stream import HTTPStream
from hypercorn.protocol.ws_stream import ASGIWebsocketState, WSStream
from hypercorn.trio.worker_context import WorkerContext
from quart_trio.asgi import TrioASGIHTTPConnection, TrioASGIWebsocketConnection

PROTOCOL = ["self", "app", "config", "context", "task_group", "connection_state", "ssl", "client", "server", "send"]
STREAM = ["self", "app", "config", "context", "task_group", "ssl", "client", "server", "send", "stream_id"]


def parameters(function: Any) -> list[str]:
    return list(inspect.signature(function).parameters)


def test_the_versions_are_those_that_were_read() -> None:
    assert version("hypercorn").startswith("0.18.")
    assert version("h11").startswith("0.16.")


@pytest.mark.parametrize("protocol", [H11Protocol, H2Protocol])
def test_protocols_are_made_and_driven_as_before(protocol: type[Any]) -> None:
    assert parameters(protocol.__init__) == PROTOCOL
    assert parameters(protocol.handle) == ["self", "event"]
    assert parameters(protocol.stream_send) == ["self", "event"]


@pytest.mark.parametrize("stream", [HTTPStream, WSStream])
def test_streams_are_made_as_before(stream: type[Any]) -> None:
    assert parameters(stream.__init__) == STREAM


@pytest.mark.parametrize(
    ("owner", "method", "expected"),
    [
        (H11Protocol, "_check_protocol", ["self", "event"]),
        (H11Protocol, "_create_stream", ["self", "request"]),
        (H11Protocol, "_send_error_response", ["self", "status_code"]),
        (H11Protocol, "_send_h11_event", ["self", "event"]),
        (H2Protocol, "_create_stream", ["self", "request"]),
        (H2Protocol, "_handle_events", ["self", "events"]),
        (H2Protocol, "_flush", ["self"]),
        (H2Protocol, "_send_data", ["self", "stream_id"]),
        (H2Protocol, "initiate", ["self", "headers", "settings"]),
        (HTTPStream, "app_send", ["self", "message"]),
        (WSStream, "_handle_events", ["self"]),
        (WSStream, "_send_error_response", ["self", "status_code"]),
        (WSStream, "_send_wsproto_event", ["self", "event"]),
        (TrioASGIHTTPConnection, "_create_request_from_scope", ["self", "send"]),
        (TrioASGIHTTPConnection, "_send_response", ["self", "send", "response"]),
        (TrioASGIWebsocketConnection, "_create_websocket_from_scope", ["self", "send"]),
    ],
)
def test_what_is_overridden_or_called_is_there(owner: type[Any], method: str, expected: list[str]) -> None:
    assert parameters(getattr(owner, method)) == expected


def test_events_carry_what_is_read_of_them() -> None:
    assert hypercorn.events.RawData(b"a").data == b"a"
    assert hypercorn.events.Updated(idle=True).idle
    assert hypercorn.events.Closed() == hypercorn.events.Closed()
    assert hypercorn.protocol.events.Data(stream_id=1, data=b"a").data == b"a"


def test_the_settings_that_are_set_exist() -> None:
    config = Config()

    for name in (
        "include_server_header",
        "keep_alive_max_requests",
        "websocket_max_message_size",
        "h2_max_concurrent_streams",
        "h2_max_header_list_size",
        "accesslog",
        "errorlog",
    ):
        assert hasattr(config, name), name


def test_a_worker_context_can_be_told_that_the_end_has_begun() -> None:
    context = WorkerContext(None)

    assert not context.terminated.is_set()


def test_a_websocket_stream_says_when_it_is_connected() -> None:
    assert {state.name for state in ASGIWebsocketState} >= {"HANDSHAKE", "CONNECTED", "HTTPCLOSED"}
    assert H11WSConnection.our_state is None


def test_h11_shows_the_head_before_it_is_parsed() -> None:
    connection = h11.Connection(h11.SERVER)
    connection.receive_data(b"GET / HTTP/1.1\r\n")

    assert connection.their_state is h11.IDLE
    assert connection.trailing_data == (b"GET / HTTP/1.1\r\n", False)


def test_hypercorn_asks_for_every_body_that_h11_says_is_waited_for() -> None:
    connection = h11.Connection(h11.SERVER)
    connection.receive_data(b"PUT / HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\nExpect: 100-continue\r\n\r\n")

    connection.next_event()

    assert connection.they_are_waiting_for_100_continue
    assert connection.client_is_waiting_for_100_continue


def test_h11_makes_its_reader_of_chunks_where_ours_takes_its_place() -> None:
    reader = ChunkedReader()

    assert (reader._bytes_in_chunk, reader._bytes_to_discard, reader._reading_trailer) == (0, b"", False)
    assert parameters(ChunkedReader.__call__) == ["self", "buf"]
    assert parameters(h11.Connection._get_io_object) == ["self", "role", "event", "io_dict"]
    assert bytes(ReceiveBuffer()) == b""

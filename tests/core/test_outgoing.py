"""What the outgoing client sends, follows, reads, and cuts off."""

from __future__ import annotations

import gc
import gzip
import json
import threading
import zlib
from collections.abc import Sequence
from functools import partial

import msgspec
import pytest
import trio

from manor.outgoing import Outgoing, OutgoingFailed, OutgoingRefused
from manor.outgoing.client import MOST_OF_ONE_ORIGIN
from tests.core.outgoing_servers import Answer, open_server, plain, redirect, trusting

LOOPBACK = ["127.0.0.0/8"]


class Knock(msgspec.Struct):
    door: str


# --- What is sent


async def test_an_answer_comes_with_its_status_headers_and_body() -> None:
    async with open_server(plain(b"{}", status="404 Not Found", headers="X-Door: attic\r\n")) as server:
        answer = await Outgoing(LOOPBACK).request("GET", server.url + "/door?number=1#bell")

        assert (answer.status, answer.headers.get("x-door"), answer.body) == (404, "attic", b"{}")
        assert server.requests[0].startswith(b"GET /door?number=1 HTTP/1.1\r\n")


async def test_json_is_sent_as_such() -> None:
    async with open_server(plain()) as server:
        await Outgoing(LOOPBACK).request("POST", server.url, json=Knock("attic"), headers={"X-Knocks": "3"})

        head, _, body = server.requests[0].partition(b"\r\n\r\n")
        assert json.loads(body) == {"door": "attic"}
        assert {b"content-type: application/json", b"x-knocks: 3", b"content-length: 16"} <= set(head.split(b"\r\n"))


async def test_a_post_without_a_body_says_so() -> None:
    async with open_server(plain()) as server:
        await Outgoing(LOOPBACK).request("POST", server.url)

        assert b"\r\ncontent-length: 0\r\n" in server.requests[0]


async def test_an_answer_to_head_has_a_length_and_no_body() -> None:
    async def head(stream: trio.abc.Stream) -> None:
        await stream.send_all(b"HTTP/1.1 200 OK\r\nContent-Length: 99999999\r\nContent-Encoding: gzip\r\n\r\n")

    async with open_server(head) as server:
        answer = await Outgoing(LOOPBACK).request("HEAD", server.url)

        assert (answer.body, answer.headers.get("content-length")) == (b"", "99999999")


async def test_an_answer_that_comes_before_the_body_was_read_is_an_answer() -> None:
    async def hasty(stream: trio.SocketStream) -> None:
        async with stream:
            await stream.receive_some(100)
            await stream.send_all(b"HTTP/1.1 503 Busy\r\nContent-Length: 0\r\n\r\n")
            # Then it reads on for a while without looking, or the answer would be lost with the connection.
            for _ in range(20):
                await stream.receive_some(65_536)

    async with trio.open_nursery() as nursery:
        listeners = await nursery.start(trio.serve_tcp, hasty, 0)
        url = f"http://127.0.0.1:{listeners[0].socket.getsockname()[1]}"
        answer = await Outgoing(LOOPBACK).request("PUT", url, content=bytes(30_000_000))
        nursery.cancel_scope.cancel()

    gc.collect()
    assert answer.status == 503


@pytest.mark.parametrize(
    "headers",
    [
        {"X-Evil": "a\r\nHost: inside"},
        {"X-Evil\r\nHost": "inside"},
        {"X-Evil": "a\x00b"},
        {"X-Evil": "☃"},
        {"": "nothing"},
        {"Host": "inside"},
        {"content-length": "3"},
        {"Transfer-Encoding": "chunked"},
        {"Proxy-Authorization": "Basic eDp5"},
    ],
    ids=repr,
)
async def test_a_header_that_would_change_the_request_is_refused(headers: dict[str, str]) -> None:
    async with open_server(plain()) as server:
        with pytest.raises(OutgoingRefused):
            await Outgoing(LOOPBACK).request("GET", server.url, headers=headers)

        assert server.connections == 0


@pytest.mark.parametrize("method", ["CONNECT", "TRACE", "get", "GET / HTTP/1.1\r\nX:"])
async def test_an_odd_method_is_refused(method: str) -> None:
    with pytest.raises(OutgoingRefused):
        await Outgoing(LOOPBACK).request(method, "http://127.0.0.1:9000")


async def test_no_proxy_is_taken_from_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    async with open_server(plain(b"proxied")) as proxy, open_server(plain()) as server:
        for name in ("HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy", "HTTPS_PROXY"):
            monkeypatch.setenv(name, proxy.url)
        answer = await Outgoing(LOOPBACK).request("GET", server.url)

        assert (answer.body, proxy.connections) == (b"fine", 0)


async def test_cookies_do_not_come_back() -> None:
    async with open_server(plain(headers="Set-Cookie: who=you\r\n")) as server:
        client = Outgoing(LOOPBACK)
        await client.request("GET", server.url)
        await client.request("GET", server.url)

        assert [b"cookie" in request.lower() for request in server.requests] == [False, False]


# --- Who is allowed


async def test_a_configured_address_may_be_private_where_others_may_not() -> None:
    async with open_server(plain()) as server:
        client = Outgoing()
        allowed = await client.request("GET", server.url, allow_private=True)
        with pytest.raises(OutgoingRefused):
            await client.request("GET", server.url)

        assert (allowed.status, server.connections) == (200, 1)


async def test_a_configured_address_does_not_open_where_it_redirects() -> None:
    async with open_server(plain(b"secret")) as inside, open_server(redirect(inside.url)) as server:
        with pytest.raises(OutgoingRefused):
            await Outgoing().request("GET", server.url, allow_private=True)

        assert inside.connections == 0


async def test_a_client_for_configured_addresses_reaches_them_and_leaves_the_first_one_alone() -> None:
    async with open_server(plain()) as server:
        client = Outgoing()
        answer = await client.allowing([server.url]).request("GET", server.url + "/jwks.json")
        with pytest.raises(OutgoingRefused):
            await client.request("GET", server.url)

        assert answer.status == 200


# --- TLS


async def test_tls_is_asked_for_the_name_and_not_for_the_address() -> None:
    async with open_server(plain(), tls=True) as server:
        client = Outgoing(LOOPBACK, resolve=lambda host, port: ["127.0.0.1"], tls=trusting())
        answer = await client.request("GET", f"https://first.test:{server.port}/")

        assert (answer.body, server.names) == (b"fine", ["first.test"])


async def test_a_certificate_for_another_name_is_a_failure() -> None:
    async with open_server(plain(), tls=True) as server:
        client = Outgoing(LOOPBACK, resolve=lambda host, port: ["127.0.0.1"], tls=trusting())
        with pytest.raises(OutgoingFailed, match="its certificate cannot be trusted"):
            await client.request("GET", f"https://second.test:{server.port}/")

        assert server.requests == []


async def test_a_certificate_of_nobody_is_a_failure() -> None:
    async with open_server(plain(), tls=True) as server:
        with pytest.raises(OutgoingFailed, match="its certificate cannot be trusted"):
            await Outgoing(LOOPBACK).request("GET", f"https://127.0.0.1:{server.port}/")


async def test_a_redirect_from_https_to_http_is_refused() -> None:
    async with open_server(plain()) as inside, open_server(redirect(inside.url), tls=True) as server:
        client = Outgoing(LOOPBACK, tls=trusting())
        with pytest.raises(OutgoingRefused, match="from https to http"):
            await client.request("GET", f"https://127.0.0.1:{server.port}/")

        assert inside.connections == 0


# --- Redirects


async def test_redirects_are_followed_as_seen_from_where_they_come() -> None:
    async with open_server(redirect("/b/c"), redirect("d?e=1#f"), plain()) as server:
        answer = await Outgoing(LOOPBACK).request("GET", server.url + "/a")

        assert answer.body == b"fine"
        assert [request.split(b" ")[1] for request in server.requests] == [b"/a", b"/b/c", b"/b/d?e=1"]


async def test_too_many_redirects_are_a_failure() -> None:
    async with open_server(redirect("/again")) as server:
        with pytest.raises(OutgoingFailed, match="more than 2 redirects"):
            await Outgoing(LOOPBACK).request("GET", server.url, redirects=2)

        assert server.connections == 3


async def test_who_follows_none_gets_the_redirect_itself() -> None:
    async with open_server(redirect("http://10.0.0.1/")) as server:
        answer = await Outgoing(LOOPBACK).request("GET", server.url, redirects=0)

        assert (answer.status, answer.headers.get("location"), answer.body) == (302, "http://10.0.0.1/", b"over there")


@pytest.mark.parametrize(
    ("status", "method", "kept"),
    [(301, "GET", 0), (302, "GET", 0), (303, "GET", 0), (307, "POST", 4), (308, "POST", 4)],
)
async def test_a_post_becomes_a_get_where_http_says_so(status: int, method: str, kept: int) -> None:
    async with open_server(redirect("/there", status=f"{status} Moved"), plain()) as server:
        await Outgoing(LOOPBACK).request("POST", server.url, content=b"body", headers={"Content-Type": "text/plain"})

        head, _, body = server.requests[1].partition(b"\r\n\r\n")
        assert (head.split(b" ")[0], len(body)) == (method.encode(), kept)
        assert (b"content-type" in head) == bool(kept)


async def test_credentials_do_not_go_to_another_origin() -> None:
    async with open_server(plain()) as other, open_server(redirect(other.url)) as server:
        secrets = {
            "Authorization": "Bearer s3cret",
            "Cookie": "a=s3cret",
            "X-Api-Key": "s3cret",
            "Accept": "text/plain",
        }
        await Outgoing(LOOPBACK).request("GET", server.url, headers=secrets)

        assert server.requests[0].count(b"s3cret") == 3
        assert b"s3cret" not in other.requests[0]
        assert b"\r\naccept: text/plain\r\n" in other.requests[0]


async def test_credentials_stay_gone_when_the_way_leads_back() -> None:
    async with open_server(plain()) as other, open_server(redirect(other.url), plain()) as server:
        other.answers = [redirect(server.url)]
        await Outgoing(LOOPBACK).request("GET", server.url, headers={"Authorization": "Bearer s3cret"})

        assert [b"s3cret" in request for request in server.requests] == [True, False]


async def test_a_body_does_not_go_to_another_origin() -> None:
    async with open_server(plain()) as other, open_server(redirect(other.url, status="307 There")) as server:
        with pytest.raises(OutgoingRefused, match="redirects a body"):
            await Outgoing(LOOPBACK).request("POST", server.url, content=b"client_secret=s3cret")

        assert other.connections == 0


@pytest.mark.parametrize("location", ["file:///etc/passwd", "http://u:p@127.0.0.1/", "http://a\\@b/", "http://["])
async def test_a_redirect_to_an_odd_address_is_refused(location: str) -> None:
    async with open_server(redirect(location)) as server:
        with pytest.raises(OutgoingRefused):
            await Outgoing(LOOPBACK).request("GET", server.url)


# --- Answers that are cut off


def drip(head: bytes, piece: bytes, *, pause: float = 0.0) -> Answer:
    """Never ends."""

    async def answer(stream: trio.abc.Stream) -> None:
        await stream.send_all(head)
        while True:
            await stream.send_all(piece)
            await trio.sleep(pause)

    return answer


async def silence(stream: trio.abc.Stream) -> None:
    await trio.sleep_forever()


HEAD = b"HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n"
CHUNKED = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"


@pytest.mark.parametrize(
    "answer",
    [
        silence,
        drip(b"", b"H", pause=0.02),
        drip(b"HTTP/1.1 200 OK\r\n", b"X: y\r\n", pause=0.02),
        drip(b"", b"HTTP/1.1 103 Early\r\n\r\n", pause=0.02),
        drip(HEAD, b"x", pause=0.02),
        drip(CHUNKED, b"1\r\nx\r\n", pause=0.02),
    ],
    ids=["silent", "slow line", "slow headers", "only early hints", "slow body", "slow chunks"],
)
async def test_a_slow_answer_is_cut(answer: Answer) -> None:
    async with open_server(answer) as server:
        with trio.fail_after(5), pytest.raises(OutgoingFailed, match=r"127\.0\.0\.1"):
            await Outgoing(LOOPBACK).request("GET", server.url, timeout=0.2)


@pytest.mark.parametrize(
    "answer",
    [
        drip(HEAD, b"x" * 65536),
        drip(CHUNKED, b"10000\r\n" + b"x" * 65536 + b"\r\n"),
        drip(b"HTTP/1.1 200 OK\r\n", b"X-Filler: " + b"y" * 8000 + b"\r\n"),
        plain(b"x" * 1001),
    ],
    ids=["endless body", "endless chunks", "endless headers", "one byte too many"],
)
async def test_a_huge_answer_is_cut(answer: Answer) -> None:
    async with open_server(answer) as server:
        with trio.fail_after(5), pytest.raises(OutgoingFailed):
            await Outgoing(LOOPBACK).request("GET", server.url, most_bytes=1000)


async def test_an_answer_of_just_the_allowed_length_is_read() -> None:
    async with open_server(plain(b"x" * 1000)) as server:
        answer = await Outgoing(LOOPBACK).request("GET", server.url, most_bytes=1000)

        assert len(answer.body) == 1000


async def test_gzip_is_unpacked() -> None:
    packed = gzip.compress(b"hello ") + gzip.compress(b"world")
    async with open_server(plain(packed, headers="Content-Encoding: gzip\r\n")) as server:
        answer = await Outgoing(LOOPBACK).request("GET", server.url, most_bytes=11)

        assert answer.body == b"hello world"
        assert b"\r\naccept-encoding: gzip\r\n" in server.requests[0]


@pytest.mark.parametrize(
    ("encoding", "body"),
    [
        ("gzip", gzip.compress(bytes(64 * 1024 * 1024), 9)),
        ("gzip", gzip.compress(b"") * 5000),
        ("gzip", b"no gzip at all"),
        ("gzip", gzip.compress(b"hello")[:-4]),
        ("gzip", gzip.compress(b"hello") + b"rubbish"),
        ("gzip, gzip", gzip.compress(gzip.compress(b"hello"))),
        ("deflate", zlib.compress(b"hello")),
        ("br", b"\x0b\x02\x80hello\x03"),
    ],
    ids=["a bomb", "empty members", "no gzip", "broken off", "rubbish behind", "twice", "deflate", "brotli"],
)
async def test_what_is_packed_badly_is_a_failure(encoding: str, body: bytes) -> None:
    async with open_server(plain(body, headers=f"Content-Encoding: {encoding}\r\n")) as server:
        with trio.fail_after(5), pytest.raises(OutgoingFailed):
            await Outgoing(LOOPBACK).request("GET", server.url, most_bytes=1000)


@pytest.mark.parametrize(
    "raw",
    [
        b"",
        b"220 mail.example ESMTP\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nshort",
        b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nContent-Length: 3\r\n\r\nabc",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
    ],
    ids=["nothing", "another protocol", "broken off", "two lengths", "bad chunk"],
)
async def test_what_is_no_http_is_a_failure(raw: bytes) -> None:
    async def answer(stream: trio.abc.Stream) -> None:
        await stream.send_all(raw)

    async with open_server(answer) as server:
        with pytest.raises(OutgoingFailed):
            await Outgoing(LOOPBACK).request("GET", server.url)


async def test_a_closed_port_is_a_failure() -> None:
    async with open_server(plain()) as server:
        url = server.url
    with pytest.raises(OutgoingFailed, match="no connection"):
        await Outgoing(LOOPBACK).request("GET", url)


async def test_the_next_address_is_tried_when_the_first_one_is_dead() -> None:
    async with open_server(plain()) as server:
        client = Outgoing(LOOPBACK, resolve=lambda host, port: ["127.0.0.3", "127.0.0.1"])
        answer = await client.request("GET", f"http://two.example:{server.port}")

        assert answer.status == 200


async def test_a_resolver_that_hangs_does_not_hold_the_caller() -> None:
    let_go = threading.Event()

    def hang(host: str, port: int) -> Sequence[str]:
        let_go.wait(30)
        return ["127.0.0.1"]

    with trio.fail_after(5), pytest.raises(OutgoingFailed):
        await Outgoing(LOOPBACK, resolve=hang).request("GET", "http://slow.example/", timeout=0.1)
    let_go.set()


# --- Many at once


async def test_one_origin_takes_only_its_share_and_others_go_on() -> None:
    async with open_server(silence) as stuck, open_server(plain()) as server, trio.open_nursery() as nursery:
        client = Outgoing(LOOPBACK)
        for _ in range(MOST_OF_ONE_ORIGIN + 60):
            nursery.start_soon(client.request, "GET", stuck.url)
        answer = await client.request("GET", server.url)
        while len(stuck.requests) < MOST_OF_ONE_ORIGIN:  # noqa: ASYNC110 - the server does not tell
            await trio.sleep(0.01)

        assert (answer.status, stuck.connections) == (200, MOST_OF_ONE_ORIGIN)
        nursery.cancel_scope.cancel()


async def test_waiting_for_a_turn_counts_too() -> None:
    async with open_server(silence) as stuck, trio.open_nursery() as nursery:
        client = Outgoing(LOOPBACK)
        for _ in range(MOST_OF_ONE_ORIGIN):
            nursery.start_soon(partial(client.request, "GET", stuck.url, timeout=60))
        while stuck.connections < MOST_OF_ONE_ORIGIN:  # noqa: ASYNC110 - the server rings nobody
            await trio.sleep(0.001)

        with pytest.raises(OutgoingFailed):
            await client.request("GET", stuck.url, timeout=0.05)

        assert stuck.connections == MOST_OF_ONE_ORIGIN
        nursery.cancel_scope.cancel()

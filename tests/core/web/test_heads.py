"""What a request says before its body: only proxies that we trust say who is behind them."""

from __future__ import annotations

from ipaddress import ip_network
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from manor.auth import Query
from manor.routing import Head
from manor.web.access_log import blanked
from manor.web.heads import Proxies, read_head

PROXIES = Proxies([ip_network("10.0.0.0/8"), ip_network("fd00::/8")])


@pytest.mark.parametrize(
    ("peer", "forwarded", "client"),
    [
        ("10.0.0.1", [], "10.0.0.1"),
        ("10.0.0.1", ["203.0.113.9"], "203.0.113.9"),
        ("10.0.0.1", ["198.51.100.7, 203.0.113.9"], "203.0.113.9"),
        ("10.0.0.1", ["198.51.100.7", "203.0.113.9"], "203.0.113.9"),
        ("10.0.0.1", ["203.0.113.9, 10.0.0.2"], "203.0.113.9"),
        ("10.0.0.1", ["10.0.0.3, 10.0.0.2"], "10.0.0.3"),
        ("10.0.0.1", ["203.0.113.9, unknown"], "10.0.0.1"),
        ("10.0.0.1", [""], "10.0.0.1"),
        ("10.0.0.1", ["203.0.113.9:4711"], "203.0.113.9"),
        ("10.0.0.1", ["[2001:db8::1]:4711"], "2001:db8::1"),
        ("10.0.0.1", ["2001:db8::1"], "2001:db8::1"),
        ("10.0.0.1", ["::ffff:203.0.113.9"], "203.0.113.9"),
        ("fd00::1", ["203.0.113.9"], "203.0.113.9"),
        ("203.0.113.1", ["198.51.100.7"], "203.0.113.1"),
        ("", ["203.0.113.9"], "203.0.113.9"),
        ("", [], ""),
    ],
)
def test_the_client_is_the_last_that_a_trusted_proxy_saw(peer: str, forwarded: list[str], client: str) -> None:
    assert PROXIES.client(peer, forwarded) == client


def scope(**more: Any) -> dict[str, Any]:
    return {
        "type": "http",
        "method": "GET",
        "scheme": "http",
        "raw_path": b"/a%2Fb",
        "query_string": b"c=d",
        "headers": [],
        "client": ("10.0.0.1", 4711),
        **more,
    }


@pytest.mark.parametrize(
    ("value", "scheme"), [("https", "https"), ("http, https", "https"), ("gopher", "http"), ("", "http")]
)
def test_a_trusted_proxy_says_how_people_came(value: str, scheme: str) -> None:
    head = read_head(scope(headers=[(b"x-forwarded-proto", value.encode())]), PROXIES)

    assert head.scheme == scheme


@pytest.mark.parametrize("value", ["a b", "x" * 129, "<script>", ""])
def test_a_request_id_that_is_none_is_replaced(value: str) -> None:
    head = read_head(scope(headers=[(b"x-request-id", value.encode())]), PROXIES)

    assert len(head.request_id) == 26


@pytest.mark.parametrize(
    ("raw_path", "path"),
    [(b"/a%2Fb", b"/a%2Fb"), (b"*", b"*"), (b"http://test/a/b", b"/a/b"), (b"http://test", b"/"), (b"//a", b"//a")],
)
def test_the_path_is_as_it_was_sent(raw_path: bytes, path: bytes) -> None:
    assert read_head(scope(raw_path=raw_path), PROXIES).raw_path == path


@pytest.mark.parametrize(
    ("query", "shown"),
    [
        (b"", ""),
        (b"a=b&c=d", "a=b&c=d"),
        (b"token=s3cret", "token=..."),
        (b"a=b&TOKEN=s3cret&c=d", "a=b&TOKEN=...&c=d"),
        (b"access_token=s3cret&auth=Zm9v&session=x", "access_token=...&auth=...&session=..."),
        (
            b"%74oken=s3cret&a%75th=Zm9v&%53ession=x&X-Topic-Token=y",
            "%74oken=...&a%75th=...&%53ession=...&X-Topic-Token=...",
        ),
        (b"code=s3cret&state=x&%72edirect_uri=a:b&iss=c", "code=...&state=...&%72edirect_uri=...&iss=c"),
        (b"a=%26token=b", "a=%26token=b"),
        (b"token", "token"),
        (b"author=me&tokens=3", "author=me&tokens=3"),
        (b"a=\xff", "a=\\xff"),
    ],
)
def test_the_access_log_shows_no_secret(query: bytes, shown: str) -> None:
    assert blanked(query) == shown


def test_the_access_log_shows_no_parameter_in_which_a_route_finds_a_credential() -> None:
    assert blanked(b"k=s3cret&%6B=s3cret&kk=v", {"k"}) == "k=...&%6B=...&kk=v"


def percent_encoded(name: str) -> st.SearchStrategy[str]:
    """The name as a client may write it: each letter as it is, or percent-encoded."""
    letters = [st.sampled_from((letter, f"%{ord(letter):02x}", f"%{ord(letter):02X}")) for letter in name]
    return st.tuples(*letters).map("".join)


@given(
    before=st.text("ab=%&+;7", max_size=8),
    name=st.sampled_from(("token", "access_token", "auth", "session")).flatmap(percent_encoded),
    after=st.text("ab=%&+;7", max_size=8),
)
def test_whatever_is_read_as_a_credential_is_not_shown(before: str, name: str, after: str) -> None:
    query = f"{before}&{name}=s3cret&{after}".encode()
    read = [value for parameter in ("token", "access_token", "auth", "session")
            if (value := Query(parameter).find(Head("GET", b"/", query))) is not None]  # fmt: skip
    assert read
    assert "s3cret" not in blanked(query)

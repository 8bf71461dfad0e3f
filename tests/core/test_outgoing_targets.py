"""Which targets are refused, however they are worded; and that nothing connects to those."""

from __future__ import annotations

import ipaddress
from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from manor.outgoing import Outgoing, OutgoingFailed, OutgoingRefused, Targets, is_public
from tests.core.outgoing_servers import open_server, plain, redirect

HOSTILE = [
    "127.0.0.1",
    "127.1",
    "0x7f.1",
    "0x7f000001",
    "2130706433",
    "0177.0.0.1",
    "017700000001",
    "127.0.0.1.",
    "localhost",
    "LOCALHOST.",
    "0",
    "0.0.0.0",
    "[::1]",
    "[::]",
    "[::127.0.0.1]",
    "[::ffff:127.0.0.1]",
    "[::ffff:7f00:1]",
    "[::ffff:0:7f00:1]",
    "[64:ff9b::7f00:1]",
    "[64:ff9b:1::7f00:1]",
    "[2002:7f00:1::]",
    "[2001:0:7f00:1::]",
    "[fe80::1]",
    "[fd00::1]",
    "[ff02::1]",
    "10.0.0.1",
    "100.64.0.1",
    "169.254.169.254",
    "172.16.0.1",
    "192.168.0.1",
    "192.0.0.9",
    "198.18.0.1",
    "224.0.0.1",
    "255.255.255.255",
    "①②⑦.⓪.⓪.①",
    "127。0。0。1",
]


# Not every resolver knows names with a dot at their end: then there is no address to refuse.
REFUSALS = dict.fromkeys(["127.0.0.1.", "LOCALHOST."], (OutgoingRefused, OutgoingFailed))


@pytest.mark.parametrize("host", HOSTILE)
async def test_a_hostile_host_is_refused_and_nothing_connects(host: str) -> None:
    async with open_server(plain()) as server:
        with pytest.raises(REFUSALS.get(host, OutgoingRefused)):
            await Outgoing().request("GET", f"http://{host}:{server.port}/")

        assert server.connections == 0


@pytest.mark.parametrize("host", ["127.0.0.1", "127.0.0.1.", "[::1]", "LOCALHOST.", "a.localhost", "10.0.0.1"])
def test_a_private_address_is_refused_before_anything_is_asked(host: str) -> None:
    with pytest.raises(OutgoingRefused, match="is not public"):
        Outgoing().check(f"http://{host}:9000/x")
    Outgoing(["127.0.0.0/8", "::1", "10.0.0.1:9000"]).check(f"http://{host}:9000/x")


@pytest.mark.parametrize("url", ["https://example.org/", "https://localhost.example.org/", "https://1.1.1.1/"])
def test_what_may_be_public_is_not_refused_before(url: str) -> None:
    Outgoing().check(url)


@pytest.mark.parametrize("host", ["127.1", "0x7f.1", "2130706433", "localhost"])
async def test_the_same_hosts_lead_to_the_listener_once_they_are_allowed(host: str) -> None:
    async with open_server(plain()) as server:
        answer = await Outgoing(["127.0.0.0/8", "::1"]).request("GET", f"http://{host}:{server.port}/")

        assert (answer.body, server.connections) == (b"fine", 1)


@pytest.mark.parametrize(
    "found",
    [
        ["127.0.0.1"],
        ["93.184.215.14", "127.0.0.1"],
        ["2606:2800:21f:cb07:6820:80da:af6b:8b2c", "::1"],
        ["::ffff:10.0.0.1"],
        ["64:ff9b::a00:1"],
        ["2002:a00:1::1"],
        ["2001:0:a00:1::f5ff:fffe"],
        ["fe80::1%1"],
        ["224.0.0.1"],
    ],
    ids=",".join,
)
async def test_a_name_with_one_private_address_is_refused(found: Sequence[str]) -> None:
    async with open_server(plain()) as server:
        client = Outgoing(resolve=lambda host, port: found)
        with pytest.raises(OutgoingRefused, match=r"evil\.example: .* is not public"):
            await client.request("GET", f"http://evil.example:{server.port}/")

        assert server.connections == 0


@pytest.mark.parametrize(
    "found", [[], ["nonsense"], ["1.1.1.1"] + [f"1.1.{n}.1" for n in range(99)]], ids=["none", "nonsense", "many"]
)
async def test_a_senseless_look_up_is_a_failure(found: Sequence[str]) -> None:
    with pytest.raises(OutgoingFailed):
        await Outgoing(resolve=lambda host, port: found).request("GET", "http://odd.example/")


async def test_a_name_is_looked_up_once_and_the_connection_goes_to_what_was_checked() -> None:
    answers = [["127.0.0.1"], ["127.0.0.2"]]
    asked: list[str] = []

    def rebind(host: str, port: int) -> Sequence[str]:
        asked.append(host)
        return answers.pop(0)

    async with open_server(plain()) as server, open_server(plain(b"stolen"), host="127.0.0.2") as other:
        client = Outgoing(["127.0.0.1"], resolve=rebind)
        answer = await client.request("GET", f"http://rebinding.example:{server.port}/")

        assert answer.body == b"fine"
        assert (asked, other.connections) == (["rebinding.example"], 0)
        assert f"\r\nhost: rebinding.example:{server.port}\r\n".encode() in server.requests[0].lower()


async def test_a_name_that_turns_private_between_two_redirects_is_refused() -> None:
    async with open_server(plain(b"secret"), host="127.0.0.2") as inside:
        answers = [["127.0.0.1"], ["127.0.0.2"]]
        location = f"http://rebinding.example:{inside.port}/"
        async with open_server(redirect(location)) as server:
            client = Outgoing(["127.0.0.1"], resolve=lambda host, port: answers.pop(0))
            with pytest.raises(OutgoingRefused):
                await client.request("GET", f"http://rebinding.example:{server.port}/")

        assert inside.connections == 0


@pytest.mark.parametrize("host", HOSTILE)
async def test_a_redirect_to_a_hostile_host_is_refused(host: str) -> None:
    async with open_server(plain(b"secret")) as inside:
        ascii_host = host.encode("idna").decode() if not host.isascii() else host
        async with open_server(redirect(f"http://{ascii_host}:{inside.port}/")) as server:
            with pytest.raises(REFUSALS.get(host, OutgoingRefused)):
                await Outgoing([server.place]).request("GET", server.url)

            assert (server.connections, inside.connections) == (1, 0)


@pytest.mark.parametrize(
    "url",
    [
        "file:///etc/passwd",
        "ftp://example.org/",
        "gopher://127.0.0.1:6379/_FLUSHALL",
        "//example.org/",
        "example.org",
        "",
        "http:///path",
        "http://user@example.org/",
        "http://user:secret@example.org/",
        "http://@example.org/",
        "http://example.org\\@127.0.0.1/",
        "http://exa mple.org/",
        "http://example.org/\r\nX-Evil: 1",
        "http://example.org:0/",
        "http://example.org:99999/",
        "http://example.org:http/",
        "http://[::1/",
        "http://[fe80::1%25lo]/",
        "http://" + "a" * 9000,
        "http://a..b/",
        "http://" + "a" * 64 + ".example/",
    ],
)
async def test_an_address_that_is_odd_is_refused(url: str) -> None:
    asked: list[str] = []

    def resolve(host: str, port: int) -> Sequence[str]:
        asked.append(host)
        raise UnicodeError("no such label")

    with pytest.raises((OutgoingRefused, OutgoingFailed)) as refused:
        await Outgoing(resolve=resolve).request("GET", url)

    assert "secret" not in str(refused.value)
    assert "127.0.0.1" not in asked


async def test_a_public_address_is_not_reached_on_the_ports_of_other_services() -> None:
    client = Outgoing(resolve=lambda host, port: ["93.184.215.14"])

    with pytest.raises(OutgoingRefused):
        await client.request("POST", "http://mail.example:25/", content=b"HELO")


def test_public_ports_are_those_of_http_and_the_free_ones() -> None:
    address = ipaddress.ip_address("93.184.215.14")

    assert [port for port in (22, 25, 80, 443, 1023, 1024, 8443) if Targets().permit("a", port, address)] == [
        80,
        443,
        1024,
        8443,
    ]


@pytest.mark.parametrize(
    ("allow", "host", "address", "port", "is_permitted"),
    [
        ("127.0.0.1:9000", "localhost", "127.0.0.1", 9000, True),
        ("127.0.0.1:9000", "localhost", "::ffff:127.0.0.1", 9000, True),
        ("127.0.0.1:9000", "localhost", "127.0.0.1", 9001, False),
        ("127.0.0.1:9000", "localhost", "127.0.0.2", 9000, False),
        ("[::1]:9000", "localhost", "::1", 9000, True),
        ("10.0.0.0/8", "box.lan", "10.1.2.3", 22, True),
        ("10.0.0.0/8", "box.lan", "::ffff:10.1.2.3", 22, True),
        ("10.0.0.0/8", "box.lan", "11.1.2.3", 22, False),
        ("10.0.0.7", "box.lan", "10.0.0.7", 9000, True),
        ("fd00::/8", "box.lan", "fd00::7", 9000, True),
        ("Box.LAN:9000", "box.lan.", "10.0.0.7", 9000, True),
        ("box.lan:9000", "other.lan", "10.0.0.7", 9000, False),
        ("box.lan:25", "box.lan", "93.184.215.14", 25, True),
    ],
)
def test_what_the_admin_allows_and_no_more(allow: str, host: str, address: str, port: int, is_permitted: bool) -> None:
    assert Targets([allow]).permit(host, port, ipaddress.ip_address(address)) == is_permitted


def test_a_configured_address_is_allowed_with_its_port() -> None:
    targets = Targets().including(["https://id.lan/realms/home", "http://[fd00::1]:8080"])
    private = ipaddress.ip_address("fd00::1")

    assert targets.permit("id.lan", 443, private)
    assert not targets.permit("id.lan", 80, private)
    assert targets.permit("elsewhere.lan", 8080, private)


@pytest.mark.parametrize("url", ["ldap://id.lan", "id.lan", "https://", ""])
def test_a_configured_address_is_http_or_https(url: str) -> None:
    with pytest.raises(ValueError, match="expected an address"):
        Targets().including([url])


@given(st.ip_addresses(v=4))
def test_an_ipv6_address_is_as_public_as_the_ipv4_one_in_it(inner: ipaddress.IPv4Address) -> None:
    number = int(inner)
    mapped = ipaddress.IPv6Address(0xFFFF << 32 | number)
    nat64 = ipaddress.IPv6Address(0x0064_FF9B << 96 | number)
    sixtofour = ipaddress.IPv6Address(0x2002 << 112 | number << 80)

    assert {is_public(mapped), is_public(nat64), is_public(sixtofour)} == {is_public(inner)}


@pytest.mark.parametrize(
    "text",
    [
        *["0.0.0.0", "10.0.0.1", "100.64.0.1", "127.0.0.1", "169.254.169.254", "172.31.0.1", "192.168.0.1"],
        *["192.0.0.9", "192.0.2.1", "192.88.99.1", "198.18.0.1", "224.0.0.1", "239.255.255.250", "240.0.0.1"],
        *["255.255.255.255", "::", "::1", "::7f00:1", "::5db8:d70e", "::ffff:7f00:1", "::ffff:0:7f00:1"],
        *["64:ff9b::7f00:1", "64:ff9b:1::7f00:1", "100::1", "2001::1", "2001:db8::1", "2002:7f00:1::", "3fff::1"],
        *["5f00::1", "fc00::1", "fd00::1", "fe80::1", "fec0::1", "ff02::1", "ff0e::1"],
    ],
)
def test_all_other_addresses_are_not(text: str) -> None:
    assert not is_public(ipaddress.ip_address(text))


@pytest.mark.parametrize("text", ["93.184.215.14", "1.1.1.1", "2606:4700:4700::1111", "64:ff9b::101:101"])
def test_public_addresses_are_public(text: str) -> None:
    assert is_public(ipaddress.ip_address(text))

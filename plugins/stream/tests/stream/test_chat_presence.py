"""Who came and who left, the welcome, and what is heard while nothing happens."""

from __future__ import annotations

from pathlib import Path

import pytest
import trio
from mmdb_writer import MMDBWriter
from netaddr import IPSet
from trio.testing import MockClock

from manor import Principal
from manor.testing import Client, House, open_test_house
from manor_stream.chat.clients import PING_SECONDS
from manor_stream.chat.presence import PARTED_SECONDS, WELCOME_SECONDS, Delayed
from manor_stream.key_check import ADMIN_ID, STREAM_ADMIN
from tests.stream_chat import chat_of, entering, talking
from tests.stream_watching import go_live, go_offline, shared_of


async def test_while_nothing_is_on_nobody_hears_who_comes_and_leaves(client: Client, autojump_clock: MockClock) -> None:
    async with entering(client) as watcher:
        async with talking(client), entering(client) as old:
            await old.send("USER_JOINED", username="Bob")
            assert await watcher.hears_nothing()
        with trio.move_on_after(PARTED_SECONDS + 1):
            raise AssertionError(await watcher.hear())


async def test_while_a_broadcast_is_on_everybody_hears_who_comes_and_leaves(
    client: Client, house: House, autojump_clock: MockClock
) -> None:
    go_live(house)
    async with entering(client) as watcher:
        async with talking(client, "Ada") as ada:
            came = await watcher.hear()
            assert (came["type"], came["username"], came["user"]["id"]) == ("USER_JOINED", "Ada", ada.user["id"])
            assert {"id", "timestamp"} <= came.keys()
        left_at = trio.current_time()
        left = await watcher.hear()

    assert (left["type"], left["user"]["displayName"]) == ("USER_PARTED", "Ada")
    assert trio.current_time() - left_at == pytest.approx(PARTED_SECONDS)


async def test_without_registration_one_comes_when_one_says_so(
    client: Client, house: House, autojump_clock: MockClock
) -> None:
    go_live(house)
    async with entering(client) as watcher:
        async with entering(client) as old:
            assert await watcher.hears_nothing()
            await old.send("USER_JOINED", username="Bob")
            await old.send("USER_JOINED", username="Bob")
            assert (await watcher.hear())["username"] == "Bob"
            assert await watcher.hears_nothing()
            await old.send("CHAT", author="Bob", body="x")
            assert (await watcher.hear())["type"] == "CHAT"
        assert (await watcher.hear())["type"] == "USER_PARTED"


async def test_who_has_several_sockets_comes_and_leaves_once(
    client: Client, house: House, autojump_clock: MockClock
) -> None:
    go_live(house)
    async with entering(client) as watcher:
        async with talking(client, "Ada") as ada:
            await watcher.hear("USER_JOINED")
            async with talking(client, token=ada.token):
                pass
            await trio.sleep(PARTED_SECONDS + 1)
            assert await watcher.hears_nothing()
        await watcher.hear("USER_PARTED")


async def test_who_comes_back_at_once_was_never_gone(client: Client, house: House, autojump_clock: MockClock) -> None:
    go_live(house)
    async with entering(client) as watcher:
        async with talking(client, "Ada") as ada:
            await watcher.hear("USER_JOINED")
        await trio.sleep(PARTED_SECONDS / 2)
        async with talking(client, token=ada.token):
            await trio.sleep(PARTED_SECONDS + 1)
            assert await watcher.hears_nothing()


async def test_after_the_broadcast_nobody_leaves_aloud(client: Client, house: House, autojump_clock: MockClock) -> None:
    go_live(house)
    async with entering(client) as watcher:
        async with talking(client):
            await watcher.hear("USER_JOINED")
            go_offline(house)
        await trio.sleep(PARTED_SECONDS + 1)
        assert await watcher.hears_nothing()


async def test_everybody_is_welcomed_alone_and_after_some_seconds(
    client: Client, house: House, autojump_clock: MockClock
) -> None:
    async with entering(client) as first:
        await shared_of(house).settings.change(welcome_message="Be **kind**, <script>x</script>please")
        async with entering(client) as second:
            came_at = trio.current_time()
            told = await second.hear()

            assert trio.current_time() - came_at == pytest.approx(WELCOME_SECONDS)
            assert (told["type"], told["author"], told["user"]["displayName"]) == ("SYSTEM", "Manor", "Manor")
            assert told["body"] == "<p>Be <strong>kind</strong>, please</p>"
            assert await first.hears_nothing()
            await shared_of(house).settings.change(welcome_message="Be *quick*")
            async with entering(client) as third:
                assert (await third.hear())["body"] == "<p>Be <em>quick</em></p>"
        async with entering(client):
            pass
        await trio.sleep(WELCOME_SECONDS * 2)
        assert await first.hears_nothing()
    assert (await client.get("/api/chat")).json() == []


async def test_a_ping_comes_every_half_minute(client: Client, autojump_clock: MockClock) -> None:
    async with entering(client) as old, talking(client) as ada:
        came_at = trio.current_time()
        for number in range(1, 4):
            assert await old.hear() == await ada.hear() == {"type": "PING"}
            assert trio.current_time() - came_at == pytest.approx(number * PING_SECONDS, abs=1.1)


async def test_things_come_out_as_they_went_in(autojump_clock: MockClock) -> None:
    out: list[tuple[int, float]] = []
    delayed = Delayed[int](5, lambda item: out.append((item, trio.current_time() - began)))
    began = trio.current_time()
    async with trio.open_nursery() as nursery:
        nursery.start_soon(delayed.run)
        for item in range(3):
            delayed.put(item)
            await trio.sleep(1)
        await trio.sleep(20)
        delayed.put(3)
        await trio.sleep(6)
        nursery.cancel_scope.cancel()

    assert [(item, round(at)) for item, at in out] == [(0, 5), (1, 6), (2, 7), (3, 28)]


async def test_who_is_connected_is_listed_until_they_leave(client: Client, admin: Client, house: House) -> None:
    agent = {"User-Agent": "Browser/1.0 " + "x" * 1000}
    async with entering(client(address="192.0.2.7", headers=agent)), talking(client, "Ada") as ada:
        await ada.send("CHAT", body="x")
        await ada.hear()
        old, new = (await admin.get("/api/admin/clients")).json()

        assert (await admin.get("/api/admin/chat/clients")).json() == [old, new]
        assert old.pop("userAgent") == ("Browser/1.0 " + "x" * 1000)[:500]
        assert old == {
            "connectedAt": "2030-01-02T12:00:00Z",
            "messageCount": 0,
            "ipAddress": "192.0.2.7",
            "username": None,
            "clientID": "1",
            "id": 1,
            "geo": None,
            "user": None,
        }
        assert (new["username"], new["messageCount"], new["clientID"], new["user"]["id"]) == (
            "Ada",
            1,
            "2",
            ada.user["id"],
        )
        assert chat_of(house).connected == 2
    assert (await admin.get("/api/admin/clients")).json() == []


async def test_connections_are_shown_where_the_database_has_them(tmp_path: Path) -> None:
    writer = MMDBWriter(ip_version=6, ipv4_compatible=True, database_type="Test-Country", languages=["en"])
    writer.insert_network(IPSet(["192.0.2.0/24"]), {"country": {"iso_code": "NL"}})
    writer.to_db_file(str(tmp_path / "places.mmdb"))
    stream = {"geoip_database": str(tmp_path / "places.mmdb"), "rtmp_bind": ""}
    async with open_test_house(tmp_path / "house", plugins=["stream"], config={"plugins": {"stream": stream}}) as house:
        client = Client(house.dispatcher)
        admin = client(principals=[Principal(STREAM_ADMIN, credential_id=ADMIN_ID)])
        async with entering(client(address="192.0.2.1")), entering(client):
            there, nowhere = (await admin.get("/api/admin/clients")).json()

    assert there["geo"] == {"countryCode": "NL", "regionName": "", "timeZone": ""}
    assert nowhere["geo"] is None

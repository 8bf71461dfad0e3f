"""Where viewers are, when the admin gave a database that says so."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from mmdb_writer import MMDBWriter
from netaddr import IPSet

from manor.errors import AdminFault
from manor.testing import Client, House, open_test_house
from manor_stream.key_check import ADMIN_ID, STREAM_ADMIN
from manor_stream.watching.geoip import Geo, _geo_of
from tests.stream_watching import go_live, shared_of

UTRECHT = {
    "country": {"iso_code": "NL", "names": {"en": "Netherlands"}},
    "subdivisions": [{"iso_code": "UT", "names": {"en": "Utrecht"}}, {"names": {"en": "below"}}],
    "location": {"time_zone": "Europe/Amsterdam", "latitude": 52.1},
}
PLACES = {
    ("192.0.2.0/25", "2001:db8::/48"): UTRECHT,
    ("198.51.100.0/24",): {"registered_country": {"iso_code": "FR"}},
}


def write(path: Path, places: Mapping[tuple[str, ...], Any] = PLACES) -> Path:
    writer = MMDBWriter(ip_version=6, ipv4_compatible=True, database_type="Test-City", languages=["en"])
    for networks, record in places.items():
        writer.insert_network(IPSet(networks), record)
    writer.to_db_file(str(path))
    return path


def config(path: Path) -> dict[str, Any]:
    return {"plugins": {"stream": {"geoip_database": str(path), "rtmp_bind": ""}}}


def admin_of(house: House) -> Client:
    from manor import Principal

    return Client(house.dispatcher, principals=(Principal(STREAM_ADMIN, credential_id=ADMIN_ID),))


async def geo_by_address(house: House, *addresses: str) -> dict[str, Any]:
    go_live(house)
    for address in addresses:
        shared_of(house).viewers.touch(address, "a player")
    answer = await admin_of(house).get("/api/admin/viewers")
    assert answer.status == 200
    return {viewer["ipAddress"]: viewer["geo"] for viewer in answer.json()}


async def test_viewers_are_shown_where_the_database_has_them(tmp_path: Path) -> None:
    path = write(tmp_path / "places.mmdb")
    async with open_test_house(tmp_path / "house", plugins=["stream"], config=config(path)) as house:
        shown = await geo_by_address(house, "192.0.2.1", "2001:db8::1", "198.51.100.1", "192.0.2.200", "10.0.0.1", "")

    utrecht = {"countryCode": "NL", "regionName": "Utrecht", "timeZone": "Europe/Amsterdam"}
    assert shown == {
        "192.0.2.1": utrecht,
        "2001:db8::1": utrecht,
        "198.51.100.1": {"countryCode": "FR", "regionName": "", "timeZone": ""},
        "192.0.2.200": None,
        "10.0.0.1": None,
        "": None,
    }


async def test_without_a_database_nobody_is_looked_up(house: House) -> None:
    assert await geo_by_address(house, "192.0.2.1") == {"192.0.2.1": None}


async def test_an_address_is_looked_up_once(tmp_path: Path) -> None:
    path = write(tmp_path / "places.mmdb")
    async with open_test_house(tmp_path / "house", plugins=["stream"], config=config(path)) as house:
        first = await shared_of(house).geoip.look_up(["192.0.2.1", "10.0.0.1"])
        path.write_bytes(b"")
        again = await shared_of(house).geoip.look_up(["192.0.2.1", "10.0.0.1"])

        assert first == again == {"192.0.2.1": Geo("NL", "Utrecht", "Europe/Amsterdam")}
        assert shared_of(house).logbook.newest_first() == []


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (None, "No such file or directory"),
        (b"", "is none"),
        (b"a text", "is none"),
        (b"\xab\xcd\xefMaxMind.com", "is none"),
        (b"\x00" * 4096 + b"\xab\xcd\xefMaxMind.com\xe1", "is none"),
    ],
)
async def test_a_file_that_is_no_database_stops_the_start_and_is_named(
    tmp_path: Path, content: bytes | None, said: str
) -> None:
    path = tmp_path / "places.mmdb"
    if content is not None:
        path.write_bytes(content)

    with pytest.raises(AdminFault) as refused:
        async with open_test_house(tmp_path / "house", plugins=["stream"], config=config(path)):
            pass

    text = str(refused.value)
    assert f"plugins.stream.geoip_database: expected a MaxMind database, {path}" in text
    assert said in text


async def test_a_folder_is_no_database(tmp_path: Path) -> None:
    with pytest.raises(AdminFault, match=r"geoip_database: expected a MaxMind database"):
        async with open_test_house(tmp_path / "house", plugins=["stream"], config=config(tmp_path)):
            pass


async def test_a_database_that_is_damaged_later_costs_its_answers_alone(tmp_path: Path) -> None:
    path = write(tmp_path / "places.mmdb")
    async with open_test_house(tmp_path / "house", plugins=["stream"], config=config(path)) as house:
        path.write_bytes(b"")
        shown = await geo_by_address(house, "192.0.2.1", "192.0.2.2")

        assert shown == {"192.0.2.1": None, "192.0.2.2": None}
        lines = (await admin_of(house).get("/api/admin/logs/warnings")).json()
        assert len([line for line in lines if "GeoIP" in line["message"]]) == 1


@pytest.mark.parametrize(
    "record",
    [
        None,
        "text",
        7,
        [],
        {},
        {"country": "NL"},
        {"country": {"iso_code": 7}},
        {"subdivisions": {}},
        {"subdivisions": ["a"]},
        {"subdivisions": [{"names": "a"}]},
        {"location": {"time_zone": None}},
    ],
)
def test_a_record_of_another_shape_is_no_place(record: object) -> None:
    assert _geo_of(record) is None


def test_a_name_that_is_very_long_is_cut() -> None:
    geo = _geo_of({"country": {"iso_code": "x" * 5000}})

    assert geo is not None
    assert len(geo.country_code) == 200

"""Names of topics that only ntfy allows: with capitals, and of one or two characters."""

from __future__ import annotations

import pytest

from manor.house import House
from manor.testing import Client
from manor_topics.domain import Misfit, check_name
from tests.topic_people import asking_as, make_topic, person, send, texts

ID = "01890A5D-AC96-774B-BCCE-B302099A8057"
NAMES = ["a", "Z9", "upAbC123xyz", "_under", "-", "A" * 64]
NEVER = ["API", "Ntfy", "LiveZ", "api", ID, ID.replace("-", ""), "", "A" * 65, "a.b", "a b", "ż", "Up\n", "a\x00"]

allowed = pytest.mark.manor(config={"plugins": {"topics": {"compat": {"ntfy_topic_names": True}}}})
made_by_publishing = pytest.mark.manor(
    config={"plugins": {"topics": {"auto_create": "anyone", "compat": {"ntfy_topic_names": True}}}}
)


@pytest.mark.parametrize("name", [*NAMES, "alarms"])
def test_a_good_name_passes(name: str) -> None:
    check_name(name, as_ntfy=True)


@pytest.mark.parametrize("name", NEVER)
def test_a_bad_name_is_refused(name: str) -> None:
    with pytest.raises(Misfit, match="name"):
        check_name(name, as_ntfy=True)


@pytest.mark.parametrize(("name", "segment"), [("Doors", "doors"), ("doors", "Doors"), ("DOORS", "DOORS")])
def test_first_segments_of_routes_are_reserved_whatever_their_case(name: str, segment: str) -> None:
    with pytest.raises(Misfit, match="is reserved"):
        check_name(name, {segment}, as_ntfy=True)


@allowed
@pytest.mark.parametrize("name", NAMES)
async def test_topics_have_such_names_on_every_path(house: House, name: str) -> None:
    ann = asking_as(house, await person(house, "ann"))
    made = await make_topic(ann, name)

    await send(ann, "one", name)
    assert (await ann.post(f"/ntfy/{name}", body=b"two")).status == 200
    assert (await ann.post("/", json={"topic": name, "message": "three"})).status == 200
    assert await texts(ann, name) == await texts(ann, made["id"]) == ["one", "two", "three"]
    assert (await ann.get(f"/ntfy/{name}/json?poll=1")).text.count("\n") == 3


@allowed
async def test_names_of_another_case_are_other_names(house: House) -> None:
    ann = asking_as(house, await person(house, "ann"))
    await make_topic(ann, "Alarms")

    assert (await ann.post("/alarms", body=b"x")).status == 404
    await make_topic(ann, "alarms")
    await send(ann, "x", "Alarms")
    assert await texts(ann, "alarms") == []


@allowed
@pytest.mark.parametrize("name", NEVER)
async def test_reserved_names_and_ids_are_never_given(house: House, name: str) -> None:
    ann = asking_as(house, await person(house, "ann"))
    made = await make_topic(ann, "alarms")

    answers = [
        await ann.post("/api/topics", json={"name": name}),
        await ann.patch(f"/api/topics/{made['id']}", json={"name": name}),
    ]
    assert [answer.status for answer in answers] == [422, 422]


@made_by_publishing
async def test_publishing_makes_them(client: Client) -> None:
    for name in NAMES:
        assert (await client.post(f"/{name}", body=b"x")).status == 200, name
    for name in ("API", "Ntfy", ID, ID.replace("-", ""), "A" * 65, "a.b"):
        assert (await client.post(f"/{name}", body=b"x")).status == 404, name


async def test_they_are_refused_where_nobody_asked_for_them(house: House, client: Client) -> None:
    ann = asking_as(house, await person(house, "ann"))
    for name in NAMES:
        assert (await ann.post("/api/topics", json={"name": name})).status == 422, name
        assert (await client.post(f"/{name}", body=b"x")).status == 404, name

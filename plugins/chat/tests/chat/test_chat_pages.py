"""Pages that are no numbers, or none that there are: what is junk is the default, and what is huge is empty."""

from __future__ import annotations

import msgspec
import pytest

from manor.testing import House
from tests.chat_access_asking import CONFIG, ENTRIES, opened_asking, path_of
from tests.chat_files import channel_of
from tests.chat_people import API, Crew, said

SIZES = ("per_page", "pageSize", "limit", "limit_before", "limit_after")
JUNK = ("-1", "junk", "1.5", "+1", "\u0661", "")
HUGE = ("9" * 12, "9" * 19, "9" * 5000)


@pytest.mark.manor(config=CONFIG)
async def test_every_list_takes_any_page(house: House) -> None:
    asking = await opened_asking(house)
    routes = {str(each): each.route for each in house.services.routes}
    wrong, tried = [], 0
    for entry in ENTRIES:
        query = routes[entry.operation].query
        names = () if query is None else [field.encode_name for field in msgspec.structs.fields(query)]
        case = entry.cases[0]
        for name in {"page", *SIZES} & set(names):
            known = await asking.values(case, "ada")
            fixed = [(each, text) for each, text in case.query.items() if each != name and "{" not in text]
            for value in (*JUNK, *HUGE):
                answer = await asking.clients["ada"].request(
                    entry.method,
                    path_of(entry, known),
                    query=[*fixed, (name, value)],
                    **({} if case.send is None else {"json": await asking.filled(case.send, known, "ada")}),
                )
                tried += 1
                if answer.status not in (200, 201):
                    wrong.append(f"{entry.operation} ?{name}={value[:20]}: {answer.status}")

    assert not wrong, "\n".join(wrong)
    assert tried > 100


async def test_junk_is_the_first_page_and_huge_pages_are_behind_the_last(crew: Crew) -> None:
    path = f"{API}/channels/{channel_of(crew)}/members"
    everybody = (await crew.bob.client.get(path)).json()
    assert len(everybody) == 2

    for query in ("page=-1", "page=junk", "per_page=-1", "per_page=0", "per_page=junk", f"per_page={'9' * 30}"):
        assert (await crew.bob.client.get(f"{path}?{query}")).json() == everybody, query
    for query in ("page=1", f"page={'9' * 12}", f"page={'9' * 30}", f"page={'9' * 12}&per_page={'9' * 30}"):
        assert (await crew.bob.client.get(f"{path}?{query}")).json() == [], query
    mine = f"{API}/users/me/channel_members"
    assert (await crew.bob.client.get(f"{mine}?page={'9' * 30}")).json() == []


async def test_pages_in_bodies_are_read_alike(crew: Crew) -> None:
    teams = {"term": "crew", "page": 10**30, "per_page": 10**30}
    answer = await crew.ada.client.post(f"{API}/teams/search", json=teams)
    assert (answer.status, answer.json()) == (200, {"teams": [], "total_count": 1})
    first = await crew.ada.client.post(f"{API}/teams/search", json={"term": "crew", "page": -1, "per_page": -1})
    assert [team["name"] for team in first.json()["teams"]] == ["crew"]

    await said(crew.house, crew.ann, crew.town_square, "needle")
    found = {"terms": "needle", "is_or_search": False}
    path = f"{API}/teams/{crew.team}/posts/search"
    for page, count in ((-1, 1), (0, 1), (1, 0), (10**6, 0)):
        assert len((await crew.bob.client.post(path, json=found | {"page": page})).json()["order"]) == count, page

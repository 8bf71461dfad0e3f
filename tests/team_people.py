"""Teams for tests: one with somebody of each role, and a stranger."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import parse_qs, urlsplit
from uuid import UUID

from manor import add_member
from manor.testing import Client, House
from tests.topic_people import asking_as, person


async def make_team(client: Client, name: str = "crew", **members: Any) -> dict[str, Any]:
    """A team of whoever asks."""
    answer = await client.post("/api/teams", json={"name": name, "display_name": "Crew", **members})
    assert answer.status == 201, answer.text
    made: dict[str, Any] = answer.json()
    return made


async def joined(house: House, team: dict[str, Any], username: str, role: Any = "member") -> tuple[UUID, Client]:
    """Somebody who is in a team."""
    user_id = await person(house, username)
    await house.storage.write(lambda transaction: add_member(transaction, UUID(team["id"]), user_id, role))
    return user_id, asking_as(house, user_id)


def token_of(url: str) -> str:
    """The token that a link to an invite holds."""
    (token,) = parse_qs(urlsplit(url).query)["token"]
    return token


@dataclass(frozen=True)
class Crew:
    """The team `crew`: Ann owns it, Bea is an admin, Cid a member, Eve a stranger."""

    house: House
    team: dict[str, Any]
    path: str
    ann: Client
    bea: Client
    cid: Client
    eve: Client
    ann_id: UUID
    bea_id: UUID
    cid_id: UUID
    eve_id: UUID

    @classmethod
    async def gather(cls, house: House) -> Crew:
        """Make them."""
        ann_id = await person(house, "ann")
        ann = asking_as(house, ann_id)
        team = await make_team(ann)
        bea_id, bea = await joined(house, team, "bea", "admin")
        cid_id, cid = await joined(house, team, "cid")
        eve_id = await person(house, "eve")
        eve, path = asking_as(house, eve_id), f"/api/teams/{team['id']}"
        return cls(house, team, path, ann, bea, cid, eve, ann_id, bea_id, cid_id, eve_id)


# --- What may be asked of it ----------------------------------------------------------------------------------------

Ask = tuple[str, str, Any]

READS: Sequence[Ask] = [("GET", "", None), ("GET", "/members", None)]
LEADS: Sequence[Ask] = [
    ("PATCH", "", {"description": "x"}),
    ("PATCH", "/members/{cid}", {"role": "member"}),
    ("GET", "/invites", None),
    ("POST", "/invites", {"email": "new@example.org"}),
    ("DELETE", "/members/{bea}", None),
]
OWNS: Sequence[Ask] = [("POST", "/reactivate", None), ("DELETE", "", None)]


async def statuses(crew: Crew, client: Client, asks: Sequence[Ask], path: str = "") -> set[int]:
    found = set()
    for method, tail, body in asks:
        tail = tail.format(cid=crew.cid_id, bea=crew.bea_id)
        answer = await client.request(method, (path or crew.path) + tail, json=body)
        assert isinstance(answer.json()["detail"], str)
        found.add(answer.status)
    return found

"""What every operation of chat answers to everybody who may ask, as `access.toml` has it."""

from __future__ import annotations

import json

import pytest
import trio.testing

from manor import to_chat_id
from manor.routing import Upgrade
from manor.testing import House
from manor_chat.http import unlicensed
from tests.chat_access_asking import CONFIG, ENTRIES, Asking, leaked, opened_asking
from tests.chat_access_table import PREFIX
from tests.chat_live import listening

PAGES = {"GET /oauth/authorize", "POST /oauth/consent"}
"""For browsers, which are led to the sign-in page; see test_chat_oauth.py."""

pytestmark = pytest.mark.manor(config=CONFIG)


@pytest.fixture
async def asking(house: House) -> Asking:
    return await opened_asking(house)


async def test_every_operation_is_in_the_table(house: House) -> None:
    p3 = {str(each) for each in house.services.routes if each.route.handler.__module__ == unlicensed.__name__}
    there = {
        str(each)
        for each in house.services.routes
        if each.owner == "chat" and each.route.websocket is Upgrade.NO and str(each) not in PAGES
    }
    named = {entry.operation for entry in ENTRIES}

    assert there - p3 - named == set()
    assert named - there == set()


async def test_everybody_is_answered_as_the_table_says(asking: Asking) -> None:
    """And nobody hears, meanwhile, of what is none of theirs."""
    wrong: list[str] = []
    async with trio.open_nursery() as nursery:
        for column in asking.clients:
            nursery.start_soon(note_what_leaks, asking, column, wrong)
        await trio.testing.wait_all_tasks_blocked()
        wrong += await answered_otherwise(asking)
        await trio.testing.wait_all_tasks_blocked()
        nursery.cancel_scope.cancel()

    assert not wrong, "\n".join(wrong)


async def note_what_leaks(asking: Asking, column: str, wrong: list[str]) -> None:
    """Note what a socket tells somebody that is none of theirs."""
    own_id = to_chat_id(asking.objects.world.id_of(column))
    async with listening(asking.clients[column]) as ear:
        while True:
            told = await ear.next()
            if found := leaked(column, json.dumps(told).encode()):
                wrong.append(f"{column} hears what is none of theirs: {sorted(found)}: {told}")
            user = told.get("data", {}).get("user", {})
            if column != "ada" and user.get("id", own_id) != own_id and {"notify_props", "auth_data"} & set(user):
                wrong.append(f"{column} hears of somebody's settings: {told}")


async def answered_otherwise(asking: Asking) -> list[str]:
    """All that is answered otherwise than the table has it."""
    wrong = []
    for entry in ENTRIES:
        for case in entry.cases:
            for column, expected in case.expected.items():
                answer = await asking.ask(entry, case, column)
                told = answer.body[:200] if answer.status < 500 else answer.body
                if answer.status != expected:
                    wrong.append(f"{case.name}: {column} is answered {answer.status}, not {expected}: {told!r}")
                elif expected == 403 and b"permission" not in answer.body and b'"id"' not in answer.body:
                    wrong.append(f"{case.name}: {column} is refused in no dialect: {told!r}")
                if found := leaked(column, answer.body):
                    wrong.append(f"{case.name}: {column} sees what is none of theirs: {sorted(found)}: {told!r}")
    return wrong


async def test_nobody_and_the_deactivated_are_refused_alike(asking: Asking) -> None:
    gone = asking.with_token("gone")
    wrong = []
    for entry in ENTRIES:
        case = entry.cases[0]
        for name, client in (("nobody", asking.nobody), ("gone", gone)):
            answer = await asking.ask(entry, case, "fred", client)
            if answer.status != entry.public:
                wrong.append(f"{case.name}: {name} is answered {answer.status}, not {entry.public}")

    assert not wrong, "\n".join(wrong)


async def test_malformed_ids_are_refused_and_unknown_ones_are_not_there(asking: Asking) -> None:
    """First 400 for what is no id, then 404 for what is not there, before anything is said of permissions."""
    wrong = []
    unknown = await asking.objects.resolve("none", "ada")
    for entry in ENTRIES:
        for name in entry.parameters:
            for value, expected in (("short", 400), (unknown, entry.unknown.get(name, 404))):
                answer = await asking.ask(entry, entry.cases[0], "ada", values={name: value})
                if answer.status != expected and not (value == "short" and answer.status == entry.unknown.get(name)):
                    wrong.append(f"{entry.operation}: {name}={value} is answered {answer.status}, not {expected}")

    assert not wrong, "\n".join(wrong)


def test_the_table_is_below_the_api() -> None:
    assert sum(entry.path.startswith(PREFIX) for entry in ENTRIES) > 200

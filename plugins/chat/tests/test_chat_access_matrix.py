"""What every operation of chat answers to everybody who may ask, as `access.toml` has it."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from manor import Principal
from manor.routing import Upgrade
from manor.testing import Answer, Client, House
from manor_chat.http import unlicensed
from tests.chat_access_objects import Objects, png
from tests.chat_access_table import PREFIX, Case, Entry, read_table
from tests.chat_access_world import PLACES

COLUMNS, ENTRIES = read_table(Path(__file__).with_name("access.toml"))

PAGES = {"GET /oauth/authorize", "POST /oauth/consent"}
"""For browsers, which are led to the sign-in page; see test_chat_oauth.py."""

CONFIG = {
    "identity": {"registration": "closed"},
    "plugins": {
        "chat": {
            "requests_at_once": 100_000,
            "incoming_webhook_rate": 10_000,
        }
    },
}

IN_TEAM = {"tom", "bob", "cara", "ann", "bot"}
SEES = {place: set(names) | {"cara"} for place, (_, team, names) in PLACES.items() if team == "team"}
SEES |= {"open": IN_TEAM, "archived": IN_TEAM, "plain": IN_TEAM}
"""Who sees the marks of a place; administrators see them all, and `plain` is there to become public."""

_NAME = re.compile(r"\{([a-z_]+(?:\.[a-z_]+)*)\}")
_MARK = re.compile(rb"zq([a-z_]+)zq")

pytestmark = pytest.mark.manor(config=CONFIG)


class Asking:
    """Asks as everybody.

    Args:
        house: Which.
        objects: What is asked for.
    """

    def __init__(self, house: House, objects: Objects) -> None:
        self.objects = objects
        self.nobody = Client(house.dispatcher)
        self._clients: dict[str, Client] = {}
        for name in COLUMNS:
            if name in objects.world.tokens:
                self._clients[name] = self.with_token(name)
            else:
                principal = Principal("chat_session", user_id=objects.world.id_of(name), is_admin=name == "ada")
                self._clients[name] = self.nobody(principals=[principal])

    def with_token(self, name: str) -> Client:
        """Somebody with the token that they have."""
        return self.nobody(headers={"Authorization": f"Bearer {self.objects.world.tokens[name]}"})

    async def ask(
        self,
        entry: Entry,
        case: Case,
        column: str,
        client: Client | None = None,
        values: Mapping[str, str] | None = None,
    ) -> Answer:
        """One request.

        Args:
            entry: Of which operation.
            case: What is asked for.
            column: Who asks.
            client: Another client of theirs.
            values: Other values than the case has.
        """
        known = {name: await self.objects.resolve(text, column) for name, text in case.values.items()}
        known |= values or {}
        path = re.sub(r"\{([a-z_]+)\}", lambda match: known[match[1]], entry.path)
        query = [(name, await self._filled(text, known, column)) for name, text in case.query.items()]
        more: dict[str, Any] = {"query": query} if query else {}
        if entry.body == "EMOJI":
            more |= form(f'{{"name": "{known["word"]}", "creator_id": "{known["user_id"]}"}}')
        elif entry.body == "PNG":
            more |= form("")
        elif entry.body == "PNG_ALONE":
            more |= {"body": png(), "headers": {"Content-Type": "image/png"}}
        elif entry.body:
            more["body"] = entry.body.encode()
        elif case.send is not None:
            more["json"] = await self._filled(case.send, known, column)
        return await (client or self._clients[column]).request(entry.method, path, **more)

    async def _filled(self, template: Any, known: Mapping[str, str], column: str) -> Any:
        if isinstance(template, dict):
            return {name: await self._filled(each, known, column) for name, each in template.items()}
        if isinstance(template, list):
            return [await self._filled(each, known, column) for each in template]
        if not isinstance(template, str):
            return template
        for name in _NAME.findall(template):
            value = known[name] if name in known else await self.objects.resolve(name, column)
            template = template.replace(f"{{{name}}}", value)
        return template


def form(emoji: str) -> dict[str, Any]:
    """A picture in a form, with what an emoji is to be."""
    image = b'--x\r\nContent-Disposition: form-data; name="image"; filename="a.png"\r\n\r\n' + png()
    text = b'\r\n--x\r\nContent-Disposition: form-data; name="emoji"\r\n\r\n' + emoji.encode()
    body = image + (text if emoji else b"") + b"\r\n--x--\r\n"
    return {"body": body, "headers": {"Content-Type": "multipart/form-data; boundary=x"}}


def leaked(column: str, answer: Answer) -> set[str]:
    """What is in an answer that its asker may not see."""
    marks = {each.decode() for each in _MARK.findall(answer.body)}
    if column == "ada":
        return set()
    mine = (
        {f"mine{column}"} | ({"minebot"} if column == "cara" else set()) | ({"minefred"} if column == "ann" else set())
    )
    return {each for each in marks - mine if column not in SEES.get(each, ())}


@pytest.fixture
async def asking(house: House) -> Asking:
    objects = Objects(house)
    await objects.build()
    return Asking(house, objects)


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
                if found := leaked(column, answer):
                    wrong.append(f"{case.name}: {column} sees what is none of theirs: {sorted(found)}: {told!r}")

    assert not wrong, "\n".join(wrong)


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

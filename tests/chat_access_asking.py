"""Asks chat everything that its authorisation matrix has, as everybody whom it names."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from manor import Principal
from manor.testing import Answer, Client, House
from tests.chat_access_objects import Objects, png
from tests.chat_access_table import Case, Entry, read_table
from tests.chat_access_world import PLACES

COLUMNS, ENTRIES = read_table(Path(__file__).parents[1] / "plugins" / "chat" / "tests" / "chat" / "access.toml")

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


class Asking:
    """Asks as everybody.

    Args:
        house: Which.
        objects: What is asked for.
    """

    def __init__(self, house: House, objects: Objects) -> None:
        self.objects = objects
        self.nobody = Client(house.dispatcher)
        self.clients: dict[str, Client] = {}
        for name in COLUMNS:
            if name in objects.world.tokens:
                self.clients[name] = self.with_token(name)
            else:
                principal = Principal("chat_session", user_id=objects.world.id_of(name), is_admin=name == "ada")
                self.clients[name] = self.nobody(principals=[principal])

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
        known = await self.values(case, column) | dict(values or {})
        path = path_of(entry, known)
        query = [(name, await self.filled(text, known, column)) for name, text in case.query.items()]
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
            more["json"] = await self.filled(case.send, known, column)
        return await (client or self.clients[column]).request(entry.method, path, **more)

    async def values(self, case: Case, column: str) -> dict[str, str]:
        """What a case's parameters stand for."""
        return {name: await self.objects.resolve(text, column) for name, text in case.values.items()}

    async def filled(self, template: Any, known: Mapping[str, str], column: str) -> Any:
        """A template with what its names stand for."""
        if isinstance(template, dict):
            return {name: await self.filled(each, known, column) for name, each in template.items()}
        if isinstance(template, list):
            return [await self.filled(each, known, column) for each in template]
        if not isinstance(template, str):
            return template
        for name in _NAME.findall(template):
            value = known[name] if name in known else await self.objects.resolve(name, column)
            template = template.replace(f"{{{name}}}", value)
        return template


def path_of(entry: Entry, known: Mapping[str, str]) -> str:
    """The operation's path with its parameters."""
    return re.sub(r"\{([a-z_]+)\}", lambda match: known[match[1]], entry.path)


def form(emoji: str) -> dict[str, Any]:
    """A picture in a form, with what an emoji is to be."""
    image = b'--x\r\nContent-Disposition: form-data; name="image"; filename="a.png"\r\n\r\n' + png()
    text = b'\r\n--x\r\nContent-Disposition: form-data; name="emoji"\r\n\r\n' + emoji.encode()
    body = image + (text if emoji else b"") + b"\r\n--x--\r\n"
    return {"body": body, "headers": {"Content-Type": "multipart/form-data; boundary=x"}}


def leaked(column: str, told: bytes) -> set[str]:
    """The marks in what somebody is told that are none of theirs."""
    marks = {each.decode() for each in _MARK.findall(told)}
    if column == "ada":
        return set()
    mine = (
        {f"mine{column}"} | ({"minebot"} if column == "cara" else set()) | ({"minefred"} if column == "ann" else set())
    )
    return {each for each in marks - mine if column not in SEES.get(each, ())}


async def opened_asking(house: House) -> Asking:
    """With everything made that is asked for."""
    objects = Objects(house)
    await objects.build()
    for expression in {text for entry in ENTRIES for case in entry.cases for text in case.values.values()}:
        if ".off." in expression:
            # Nobody writes in a team that is switched off, so it is there before anybody listens.
            await objects.resolve(expression, "bob")
    return Asking(house, objects)

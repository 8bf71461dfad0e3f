"""Asks a house every cell of the authorisation matrix, and says where it answers otherwise than the table."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote, urlencode

import trio

from manor.identity.passwords import Hasher
from manor.testing import Answer, Client, House, NotAStream, SetClock
from manor.testing.client import AnswerHeaders
from tests.contracts.access_cast import MARK, Ask, Cast, Headers, People, bygones, filled_in
from tests.contracts.access_objects import Objects
from tests.contracts.access_table import Entry, Table
from tests.people import PASSWORD

PATIENCE = 20
_JOB_RUNS = b"A job is running"

ENTRIES_OF_A_CAST = 50
"""New askers come after so many: each credential may ask some hundred times a minute."""


@dataclass(frozen=True)
class Wrong:
    """A cell that is not as the table says."""

    owner: str
    operation: str
    name: str
    column: str
    asker: str
    what: str

    def __str__(self) -> str:
        return f"{self.owner}: {self.name}: {self.asker} ({self.column}): {self.what}"


class Matrix:
    """Asks.

    Args:
        house: An open one, with all plugins that the table names.
        people: Who asks.
        bygone: Those whose time is over.
        ask: The way to the house; in this process when not given.
    """

    def __init__(self, house: House, people: People, bygone: dict[str, Headers], ask: Ask | None = None) -> None:
        self._client = Client(house.dispatcher)
        self._people = people
        self._bygone = bygone
        self._ask = ask or self._ask_here
        self.asked = 0

    async def wrong(self, table: Table, columns: Sequence[str] | None = None) -> list[Wrong]:
        """Every cell that is not as the table says, of these columns when given."""
        found = []
        cast = self._new_cast()
        for number, entry in enumerate(table.entries):
            if number % ENTRIES_OF_A_CAST == 0:
                cast = self._new_cast()
            objects = Objects(cast)
            for column in columns or table.columns:
                for asker in _askers(entry, table.columns[column]):
                    asked_for = objects
                    if entry.is_fresh and entry.expected(column) < 400:
                        asked_for = Objects(self._new_cast() if entry.is_last else cast)
                    trouble, succeeded = await self._trouble(entry, column, asker, asked_for)
                    if not trouble:
                        continue
                    found.append(Wrong(entry.owner, entry.operation, entry.name, column, asker, trouble))
                    if succeeded:
                        # It may have done something that nobody expected.
                        cast = self._new_cast()
                        objects = Objects(cast)
        return found

    def _new_cast(self) -> Cast:
        return Cast(self._people, self._bygone)

    async def _trouble(self, entry: Entry, column: str, asker: str, objects: Objects) -> tuple[str, bool]:
        """What is wrong with a cell, "" for nothing; and whether it succeeded."""
        answer = await self._answer(entry, asker, objects)
        self.asked += 1
        expected = entry.expected(column)
        text = answer.body.decode("utf-8", "replace") + repr(answer.headers)
        if answer.status != expected:
            return f"expected {expected}, got {answer.status} {text[:200]}", answer.status < 400
        outcome = entry.outcomes[column]
        may_see = outcome == "ok" and column in entry.seen_by
        if (outcome == "login" or expected >= 400) and (trouble := misworded(entry.dialect, outcome, answer)):
            return trouble, False
        if MARK in text and not may_see:
            return f"it is shown what is Ada's: {_around_mark(text)}", False
        if entry.shows and may_see and asker.startswith("ada's") and MARK not in text:
            return f"Ada's own is not in the answer: {text[:200]}", False
        return "", False

    async def _answer(self, entry: Entry, asker: str, objects: Objects) -> Answer:
        headers = dict(await objects.headers(asker, entry))
        path = entry.target
        for name in re.findall(r"{(\w+)}", path):
            path = path.replace("{" + name + "}", quote(await objects.text(entry.path[name], asker), safe=""))
        query = urlencode(await objects.fill(dict(entry.query), asker))
        target = f"{path}?{query}" if query else path
        if entry.stream:
            return await self._opened(entry.stream, target, headers)
        body = b""
        if entry.send is not None:
            body = json.dumps(await objects.fill(entry.send, asker)).encode()
            headers["Content-Type"] = "application/json"
        elif entry.text is not None:
            body = entry.text.encode()
        elif entry.form is not None:
            body = await filled_in(self._ask, entry.page, headers, await objects.fill(dict(entry.form), asker))
        answer = await self._ask(entry.method, target, headers, body)
        with trio.fail_after(PATIENCE):
            while answer.status == 409 and _JOB_RUNS in answer.body:
                # What the operation before it began takes its time; who may is told to come again.
                await trio.sleep(0.05)
                answer = await self._ask(entry.method, target, headers, body)
        return answer

    async def _opened(self, stream: str, target: str, headers: Headers) -> Answer:
        """A stream that opens is answered 200 or 101, and is left again."""
        opening = self._client.sse if stream == "sse" else self._client.websocket
        try:
            async with opening(target, headers=headers):
                pass
            return Answer(200 if stream == "sse" else 101, AnswerHeaders({}))
        except NotAStream as refused:
            return refused.answer

    async def _ask_here(self, method: str, target: str, headers: Headers, body: bytes) -> Answer:
        return await self._client.request(method, target, headers=headers, body=body)


def _askers(entry: Entry, askers: Sequence[str]) -> Sequence[str]:
    """Who asks for a column: one of them where no credential is looked at, for signing in takes its time."""
    return askers[:1] if set(entry.outcomes.values()) == {"ok"} else askers


def misworded(dialect: str, outcome: str, answer: Answer) -> str:
    """What is not as the dialect has it in a refusal; "" for nothing. Written from the contracts."""
    if outcome == "login":
        place = answer.headers.get("Location", "")
        return "" if place.startswith("/login?next=%2F") else f"it leads to {place!r}, not to the sign-in page"
    if dialect == "page":
        is_page = answer.headers.get("Content-Type", "").startswith("text/html")
        return "" if is_page else "the refusal is no page"
    try:
        said: Any = json.loads(answer.body)
    except ValueError:
        return f"the refusal is no JSON: {answer.body[:100]!r}"
    if not isinstance(said, dict) or answer.headers.get("Content-Type") != "application/json":
        return f"the refusal is no JSON object: {said!r}"
    wanted = _WORDED[dialect]
    if not wanted(said):
        return f"the refusal is not in the dialect {dialect!r}: {said!r}"
    if dialect == "detail" and outcome == "401" and not answer.headers.get("WWW-Authenticate"):
        return "the 401 does not say how to sign in"
    return ""


_WORDED: dict[str, Callable[[dict[str, Any]], bool]] = {
    "detail": lambda said: isinstance(said.get("detail"), str) and said.keys() <= {"detail", "errors"},
    "mattermost": lambda said: (
        said.keys() == {"id", "message", "detailed_error", "request_id", "status_code", "is_oauth"}
    ),
    "basic_response": lambda said: said.keys() == {"success", "message"} and said["success"] is False,
    "selfprivacy": lambda said: said.keys() in ({"error"}, {"message"}),
    "ntfy": lambda said: (
        said.keys() - {"errors"} == {"detail", "code", "http", "error"} and said["error"] == said["detail"]
    ),
}


def _around_mark(text: str) -> str:
    place = text.index(MARK)
    return text[max(0, place - 60) : place + 60]


async def people_of(house: House, clock: SetClock) -> tuple[People, dict[str, Headers]]:
    """Those who ask, and those whose time is over."""
    # The least that argon2 does: a thousand sign-ins are a matter of seconds.
    house.services.identity.hasher = Hasher(memory_mib=1, passes=1, inline=True)
    people = People(house, clock, await house.services.identity.hasher.hash(PASSWORD))
    return people, await bygones(people)


def uneven(house: House, table: Table) -> list[str]:
    """Where the house's routes and the table's entries are not the same, or openness is declared and not meant."""
    routes = {
        (owned.owner, f"{owned.route.method} {owned.route.path}"): owned.route for owned in house.dispatcher.table
    }
    listed = table.operations
    lacking = [f"{owner}: {operation}: has no entry in access.toml" for owner, operation in routes.keys() - listed]
    gone = [f"{owner}: {operation}: is in access.toml, and no route" for owner, operation in listed - routes.keys()]
    open_to_all = {(entry.owner, entry.operation) for entry in table.entries if entry.outcomes["none"] == "ok"}
    loose = [
        f"{owner}: {operation}: is declared PUBLIC, and nobody gets in without a credential"
        for (owner, operation), route in routes.items()
        if route.access.is_public and (owner, operation) in listed - open_to_all
    ]
    return sorted([*lacking, *gone, *loose])

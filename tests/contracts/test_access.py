"""The authorisation matrix: what `access.toml` says of every operation and of everybody who may ask is so."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import httpx
import pytest

from manor.testing import Answer, House, SetClock
from manor.testing.client import AnswerHeaders
from manor.testing.houses import declared_plugins
from tests.contracts.access_cast import ASKERS, KINDS, Headers
from tests.contracts.access_matrix import Matrix, misworded, people_of, uneven
from tests.contracts.access_objects import OBJECTS, TOKENS
from tests.contracts.access_table import PATH, Entry, Table, TableFault, build_table, read_table
from tests.contracts.conftest import serving
from tests.host_folders import furnish

TABLE = read_table()


@pytest.fixture
def house_plugins(request: pytest.FixtureRequest) -> Sequence[str]:
    """All that are installed but chat, where rights hang on teams and channels: it has a table of its own."""
    return [name for name in declared_plugins(request.config.rootpath) if name != "chat"]


@pytest.fixture
def house_config(house_config: Mapping[str, Any], tmp_path: Path) -> Mapping[str, Any]:
    """Nobody publishes here."""
    root = tmp_path / "host"
    sandbox = {"backend": "sandbox", "root": str(root), **furnish(root)}
    return {**house_config, "plugins": {"stream": {"rtmp_bind": ""}, "hostservices": sandbox}}


@pytest.mark.parametrize("owner", sorted({entry.owner for entry in TABLE.entries}))
async def test_every_operation_answers_everybody_as_the_table_says(house: House, clock: SetClock, owner: str) -> None:
    matrix = Matrix(house, *await people_of(house, clock))
    table = Table(TABLE.columns, [entry for entry in TABLE.entries if entry.owner == owner])

    wrong = await matrix.wrong(table)

    assert not wrong, "\n".join(map(str, wrong))


async def test_every_route_has_an_entry_and_every_entry_a_route(house: House) -> None:
    faults = uneven(house, TABLE)

    assert not faults, "\n".join(faults)


async def test_a_real_door_answers_the_same(house: House, clock: SetClock) -> None:
    people, bygone = await people_of(house, clock)
    table = Table(TABLE.columns, [entry for entry in TABLE.entries if not entry.stream])
    async with (
        serving(house) as port,
        httpx.AsyncClient(base_url=f"http://127.0.0.1:{port}", timeout=20, verify=False) as door,
    ):

        async def ask(method: str, target: str, headers: Headers, body: bytes) -> Answer:
            door.cookies.clear()
            answer = await door.request(method, target, headers=headers, content=body)
            return Answer(answer.status_code, AnswerHeaders(answer.headers), answer.content)

        wrong = await Matrix(house, people, bygone, ask).wrong(table, ["none", "other", "device"])

    assert not wrong, "\n".join(map(str, wrong))


# --- The matrix itself ---------------------------------------------------------------------------------------------


async def test_every_kind_of_credential_asks(house: House) -> None:
    declared = {kind.kind for plugin in house.running for kind in plugin.brought.authenticators}
    asking = {asker for askers in TABLE.columns.values() for asker in askers}

    assert declared == set(KINDS), "access_cast.KINDS lacks a kind that a plugin declares, or has one too many"
    assert set(KINDS.values()) <= asking


async def test_every_asker_of_the_table_is_known(house: House, clock: SetClock) -> None:
    _, bygone = await people_of(house, clock)

    assert {asker for askers in TABLE.columns.values() for asker in askers} == {*ASKERS, *TOKENS, *bygone}


def test_every_object_of_the_table_is_known() -> None:
    def named(value: Any) -> set[str]:
        if isinstance(value, dict | list):
            return {name for inner in (value.values() if isinstance(value, dict) else value) for name in named(inner)}
        return {value} if isinstance(value, str) and value.startswith("@") else set()

    assert named(tomllib.loads(PATH.read_text())) | {"@other_topic"} == set(OBJECTS)


async def test_a_route_without_an_entry_and_an_entry_without_a_route_are_named(house: House) -> None:
    table = Table(TABLE.columns, [entry for entry in TABLE.entries if entry.operation != "GET /auth/me"])
    table = Table(table.columns, [*table.entries, _entry("GET /auth/nothing")])

    faults = set(uneven(house, table)) - set(uneven(house, TABLE))

    assert faults == {
        "auth: GET /auth/me: has no entry in access.toml",
        "auth: GET /auth/nothing: is in access.toml, and no route",
    }


def _entry(operation: str) -> Entry:
    (entry,) = build_table(
        {
            "columns": TABLE.columns,
            "group": {"open": {"dialect": "detail", "ok": list(TABLE.columns)}},
            "operations": {"auth": {operation: {"group": "open"}}},
        }
    ).entries
    return entry


def test_all_that_is_wrong_with_a_table_is_told_at_once() -> None:
    table = {
        "columns": {"none": ["nobody"], "user": ["ada's session"]},
        "group": {"open": {"dialect": "latin", "ok": ["none", "none"], "tea": []}},
        "operations": {
            "auth": {
                "GET /a": {"group": "closed"},
                "GET": {"group": "open", "404": ["guest"], "ok": ["guest"], "stream": "pigeon", "fresh": True},
            }
        },
    }

    with pytest.raises(TableFault) as raised:
        build_table(table)

    assert str(raised.value).splitlines() == [
        "group 'open': 'tea' means nothing here",
        "group 'open': its dialect is one of detail, mattermost, basic_response, selfprivacy, page, ntfy",
        "group 'open': the column 'none' is answered in two ways",
        "group 'open': it does not say what the column 'user' is answered",
        "auth: GET /a: there is no group 'closed'",
        "auth: GET: it is called METHOD /path, and then what you like",
        "auth: GET: what is fresh is 'objects' or 'asker'",
        "auth: GET: its stream is 'sse' or 'websocket'",
        "auth: GET: the column 'guest' is answered in two ways",
        "auth: GET: there is no column 'guest'",
    ]


@pytest.mark.parametrize(
    ("dialect", "outcome", "headers", "body"),
    [
        ("detail", "403", {"Content-Type": "application/json"}, b'{"error": "no"}'),
        ("detail", "403", {"Content-Type": "application/json"}, b'{"detail": ["no"]}'),
        ("detail", "403", {"Content-Type": "application/json"}, b'{"detail": "no", "topic": {}}'),
        ("detail", "403", {"Content-Type": "text/plain"}, b'{"detail": "no"}'),
        ("detail", "401", {"Content-Type": "application/json"}, b'{"detail": "no"}'),
        ("detail", "403", {"Content-Type": "application/json"}, b"no"),
        ("selfprivacy", "401", {"Content-Type": "application/json"}, b'{"detail": "no"}'),
        ("basic_response", "401", {"Content-Type": "application/json"}, b'{"success": true, "message": "no"}'),
        ("mattermost", "401", {"Content-Type": "application/json"}, b'{"message": "no"}'),
        ("page", "403", {"Content-Type": "application/json"}, b"{}"),
        ("page", "login", {"Location": "https://elsewhere.example/login"}, b""),
    ],
)
def test_a_refusal_in_another_dialect_is_seen(dialect: str, outcome: str, headers: Headers, body: bytes) -> None:
    status = 302 if outcome == "login" else int(outcome)

    assert misworded(dialect, outcome, Answer(status, AnswerHeaders(headers), body))

"""What no client sends: every member of every body, every parameter, with values that are none of its own."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from itertools import count
from typing import Any

import msgspec
import pytest

from manor.testing import Answer, House
from tests.chat_access_asking import CONFIG, ENTRIES, Asking, opened_asking, path_of

DEEP = json.loads("[" * 900 + "]" * 900)
HALF = "half of a pair"
VALUES: list[Any] = [
    "\0", "x" * 1_000_000, 10**30, HALF, DEEP, -1, "a\0b", {"a": DEEP}, 2**63, None, True, [], {}, 1e308, "", " ",
    -(2**63) - 1, "\u202e", [None], ["\0"], {"\0": "\0"}, "%_", "../../x", "-1", "9" * 20,
]  # fmt: skip
IN_QUERIES = ["\0", "x" * 20_000, "-1", "9" * 23, "1e9", "true", "\u0661", "%", "a b"]
IN_PATHS = ["\0", "%00", "x" * 5000, "..", "-1", "é", "y" * 26, "Y" * 26, "me", "%ff", "a%2Fb", "\u202e"]
AT_ONCE = 3
"""So many of them for each place, the next ones for the next."""

pytestmark = pytest.mark.manor(config=CONFIG)


@pytest.fixture
async def asking(house: House) -> Asking:
    return await opened_asking(house)


def places(value: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """Where something stands in a body."""
    yield path
    named = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for name, each in named:
        yield from places(each, (*path, name))


def put(value: Any, path: tuple[Any, ...], new: Any) -> Any:
    """The same body with something else in one place."""
    if not path:
        return new
    copy = value.copy()
    copy[path[0]] = put(copy[path[0]], path[1:], new)
    return copy


def turns(values: list[Any]) -> Iterator[list[Any]]:
    """The values by turns."""
    for turn in count(0, AT_ONCE):
        yield [values[(turn + each) % len(values)] for each in range(AT_ONCE)]


def is_our_fault(answer: Answer) -> bool:
    """Whether the answer is none that was meant."""
    in_dialect = b'"id"' in answer.body or answer.status in (200, 201, 204, 429)
    return (answer.status >= 500 and answer.status != 501) or not in_dialect


def query_with(query: Any, name: str, value: str) -> list[tuple[str, str]]:
    """A case's query, as it stands, with one parameter otherwise."""
    return [(each, text) for each, text in query.items() if each != name and "{" not in text] + [(name, value)]


async def test_no_member_of_a_body_breaks_an_operation(asking: Asking) -> None:
    wrong, turn = [], turns(VALUES)
    for entry in ENTRIES:
        case = entry.cases[0]
        if case.send is None:
            continue
        known = await asking.values(case, "ada")
        body = await asking.filled(case.send, known, "ada")
        for place in places(body):
            for value in next(turn):
                sent = json.dumps(put(body, place, value)).replace(f'"{HALF}"', '"\\ud800"').encode()
                answer = await asking.clients["ada"].request(entry.method, path_of(entry, known), body=sent)
                if is_our_fault(answer):
                    wrong.append(f"{entry.operation} {place}={str(value)[:30]!r}: {answer.status}")

    assert not wrong, "\n".join(wrong)


async def test_no_parameter_breaks_an_operation(house: House, asking: Asking) -> None:
    routes = {str(each): each.route for each in house.services.routes}
    wrong, in_path, in_query = [], turns(IN_PATHS), turns(IN_QUERIES)
    for entry in ENTRIES:
        case = entry.cases[0]
        known = await asking.values(case, "ada")
        for name in re.findall(r"\{([a-z_]+)\}", entry.path):
            for value in next(in_path):
                answer = await asking.ask(entry, case, "ada", values={name: value})
                if answer.status >= 500 and answer.status != 501:
                    wrong.append(f"{entry.operation} {name}={value[:20]!r}: {answer.status}")
        fields = msgspec.structs.fields(query) if (query := routes[entry.operation].query) is not None else ()
        for field in fields:
            for value in next(in_query):
                asked = query_with(case.query, field.encode_name, value)
                sent = {} if case.send is None else {"json": await asking.filled(case.send, known, "ada")}
                path = path_of(entry, known)
                answer = await asking.clients["ada"].request(entry.method, path, query=asked, **sent)
                if answer.status >= 500 and answer.status != 501:
                    wrong.append(f"{entry.operation} ?{field.encode_name}={value[:20]!r}: {answer.status}")

    assert not wrong, "\n".join(wrong)


async def test_a_term_that_no_name_has_finds_no_team(asking: Asking) -> None:
    for term in ("\0", "te\0", "x" * 1_000_000):
        answer = await asking.clients["ada"].post("/api/v4/teams/search", json={"term": term})
        assert (answer.status, answer.json()) == (200, [])

"""Whoever comes in the clear and whoever comes over TLS is told the same, byte by byte, whatever serves either."""

from __future__ import annotations

from collections import Counter
from collections.abc import MutableMapping, Sequence
from ipaddress import ip_network
from typing import Any

import pytest
from structlog.testing import capture_logs

from tests.contracts.two_doors import PROBE_PATH, Case, ask, differences, get
from tests.contracts.two_doors_cases import CASES, PROXIED, STRANGERS
from tests.contracts.two_doors_serving import Doors
from tests.contracts.two_doors_serving import certificate as certificate
from tests.contracts.two_doors_serving import doors as doors
from tests.contracts.two_doors_serving import is_fronted as is_fronted
from tests.contracts.two_doors_serving import serve as serve

ENOUGH = 10
"""Differences; a door that is out of order is waited for at each case."""


def requests(logged: Sequence[MutableMapping[str, Any]]) -> list[MutableMapping[str, Any]]:
    """The lines of the access log, without those that only see whether a connection is kept."""
    return [each for each in logged if each["event"] == "request" and each["path"] != PROBE_PATH]


@pytest.mark.parametrize("cases", CASES.values(), ids=CASES)
async def test_every_door_says_the_same_and_counts_the_same(doors: Doors, cases: Sequence[Case]) -> None:
    opened = await doors.open()

    with capture_logs() as logged:
        found: list[str] = []
        for each in cases:
            if len(found) < ENOUGH:
                found += await differences(each, opened)
        await doors.close()

    assert not found, "\n".join(found)
    assert doors.counted[0] == doors.counted[1] == doors.counted[2]
    lines = Counter((each["method"], each["path"], each["status"]) for each in requests(logged))
    assert [line for line, times in lines.items() if times % len(opened)] == []
    assert lines.total() == sum(counted.total() for counted in doors.counted)


async def test_what_a_stranger_says_of_itself_counts_at_no_port(doors: Doors) -> None:
    plain, _, secure = await doors.open()

    assert [difference for each in STRANGERS for difference in await differences(each, [plain, secure])] == []


async def test_what_a_trusted_proxy_says_counts_at_every_door(doors: Doors) -> None:
    opened = await doors.open(trusted_proxies=[ip_network("127.0.0.0/8")])

    assert [difference for each in PROXIED for difference in await differences(each, opened)] == []


async def test_a_line_of_the_log_says_the_same_of_a_request_whichever_way_it_came(doors: Doors) -> None:
    plain, _, secure = await doors.open()
    asked = Case(
        "a log line",
        "200 413 closed",
        (get("/seen/a?token=secret&b=c"), ask("POST", "/small", "Content-Length: 999999")),
    )

    with capture_logs() as logged:
        for door in (plain, secure):
            await door.tell(asked)
        await doors.close()

    lines = requests(logged)
    for each in lines:
        assert each.pop("seconds") >= 0
        assert len(each.pop("request_id")) == 26
    assert lines[:2] == lines[2:]
    assert [(each["path"], each["query"], each["status"], each["address"]) for each in lines[:2]] == [
        ("/seen/a", "token=...&b=c", 200, "127.0.0.1"),
        ("/small", "", 413, "127.0.0.1"),
    ]

"""The authorisation matrix notices: rights are taken out of copies of the plugins, and each is missed."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from manor.errors import AdminFault
from manor.testing import SetClock
from tests.contracts.access_matrix import Matrix, people_of, uneven
from tests.contracts.access_mutants import PLUGINS, Mutant, altered_house
from tests.contracts.access_table import read_table

TABLE = read_table()

ACCESS = re.compile(r"\baccess=(?!PUBLIC)(?:[A-Z_]+\b|Kinds\([^)]*\)|Scope\([^)]*\))")
"""What a route asks for."""

_CLOSED = {
    entry.operation
    for entry in TABLE.entries
    if entry.owner in PLUGINS
    and all(other.outcomes["none"] != "ok" for other in TABLE.entries if other.operation == entry.operation)
}

MUTANTS = [
    Mutant(
        "auth/manor_auth/api_keys.py",
        " or key.user_id != user_id",
        "",
        (("POST /api/keys/{key_id}/revoke", "other"), ("DELETE /api/keys/{key_id}", "key_other")),
    ),
    Mutant(
        "auth/manor_auth/api_keys.py",
        "list_credentials(transaction, kind=KIND, user_id=user_id))",
        "list_credentials(transaction, kind=KIND))",
        (("GET /api/keys", "other"), ("GET /api/keys", "admin"), ("GET /api/keys", "key_other")),
    ),
    Mutant("auth/manor_auth/api_keys.py", "if beyond:", "if False:", (("POST /api/keys", "key"),)),
    Mutant(
        "auth/manor_auth/sessions.py",
        "session is None or session.user_id != user_id or",
        "session is None or",
        (("DELETE /auth/sessions/{id}", "other"), ("DELETE /auth/sessions/{id}", "admin")),
    ),
    Mutant(
        "auth/manor_auth/tokens.py",
        " or header.typ != use",
        "",
        (("GET /auth/me", "misplaced"), ("GET /api/users/me", "misplaced"), ("POST /{topic}", "misplaced")),
    ),
    Mutant(
        "auth/manor_auth/http/devices.py",
        "kinds=frozenset({DEVICE}),",
        'kinds=frozenset({DEVICE, "access"}),',
        (("GET /auth/tokens", "user"), ("POST /auth/new_device", "admin")),
    ),
    Mutant(
        "auth/manor_auth/http/devices.py",
        '"devices sign-in", SELFPRIVACY, places=(),',
        '"devices sign-in", SELFPRIVACY,',
        (("POST /auth/new_device/authorize", "expired"), ("POST /auth/recovery_token/use", "unknown")),
    ),
    Mutant(
        "auth/manor_auth/http/api.py",
        'SIGN_IN = Api("auth sign-in", places=(),',
        'SIGN_IN = Api("auth sign-in",',
        (("POST /auth/refresh", "expired"), ("POST /auth/login", "spoiled")),
    ),
    Mutant(
        "topics/manor_topics/rights.py",
        "if not able:",
        "if False:",
        (("POST /{topic}", "key_lacking"), ("GET /api/topics", "key_lacking")),
    ),
    Mutant(
        "topics/manor_topics/rights.py",
        "    if not can_read(topic, caller):\n        raise _closed(topic, caller, config)\n\n\ndef check_publish",
        "\n\ndef check_publish",
        (("GET /{topic}/json", "other"), ("GET /{topic}/sse", "token_other"), ("GET /{topic}/ws", "none")),
    ),
    Mutant(
        "topics/manor_topics/rights.py",
        "return able and principal.resource == topic.id",
        "return able",
        (("POST /{topic}", "token_other"), ("GET /api/topics/{topic}", "token_other")),
    ),
]


@pytest.fixture
def house_config() -> Mapping[str, Any]:
    return {
        "server": {"limits": {"address_limit_factor": 0}},
        "identity": {"argon2_memory_mib": 19, "argon2_time": 2},
    }


async def test_each_right_that_a_copy_of_a_plugin_lacks_is_missed(
    tmp_path: Path, clock: SetClock, house_config: dict[str, Any]
) -> None:
    changed = set()

    def change(path: str, text: str) -> str:
        for mutant in MUTANTS:
            if mutant.path == path:
                text = mutant.change(text)
                changed.add(mutant)
        return text

    async with altered_house(tmp_path / "house", clock, house_config, change) as house:
        table = TABLE.only(operation for mutant in MUTANTS for operation, _ in mutant.caught)
        columns = dict.fromkeys(["user", *(column for mutant in MUTANTS for _, column in mutant.caught)])
        wrong = await Matrix(house, *await people_of(house, clock)).wrong(table, [*columns])

    assert changed == set(MUTANTS)
    found = {(each.operation, each.column) for each in wrong}
    for mutant in MUTANTS:
        assert found.issuperset(mutant.caught), (mutant, set(mutant.caught) - found)
    # The copies work: those who may still do.
    assert not found & {(operation, "user") for operation in ("GET /auth/me", "GET /{topic}/json")}


async def test_each_route_of_a_copy_that_is_declared_open_is_named(
    tmp_path: Path, clock: SetClock, house_config: dict[str, Any]
) -> None:
    def change(path: str, text: str) -> str:
        loosened, count = ACCESS.subn("access=PUBLIC", text)
        return loosened.replace("\nfrom manor ", "\nfrom manor import PUBLIC\nfrom manor ", 1) if count else text

    async with altered_house(tmp_path / "house", clock, house_config, change) as house:
        faults = uneven(house, TABLE)

    named = {fault.split(": ")[1] for fault in faults if "is declared PUBLIC" in fault}
    assert named == _CLOSED
    assert len(named) > 20


async def test_a_copy_with_a_route_without_access_does_not_open(
    tmp_path: Path, clock: SetClock, house_config: dict[str, Any]
) -> None:
    def change(path: str, text: str) -> str:
        return text.replace("access=PUBLIC, returns=KeySet", "returns=KeySet") if path.endswith("jwks.py") else text

    with pytest.raises(AdminFault, match=r"auth.*access"):
        async with altered_house(tmp_path / "house", clock, house_config, change):
            pass

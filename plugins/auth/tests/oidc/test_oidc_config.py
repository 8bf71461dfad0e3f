"""What an admin writes about providers, and what is told when it is wrong."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import msgspec
import pytest

from manor.config import decode_plugin, load, settings
from manor.errors import AdminFault
from manor.testing import Client, open_test_house
from manor_auth.config import AuthConfig
from manor_auth.oidc.config import ProviderConfig

REFERENCE = Path(__file__).parents[4] / "docs" / "reference" / "config.md"
TABLE = '[plugins.auth.oidc.home]\nissuer = "https://id.example.org"\nclient_id = "manor"\n'
GOOD = {"issuer": "https://id.example.org/", "client_id": "manor"}


async def problems(folder: Path, auth: Mapping[str, Any]) -> str:
    with pytest.raises(AdminFault) as caught:
        async with open_test_house(folder, plugins=["auth"], config={"plugins": {"auth": auth}}):
            pass
    return str(caught.value)


@pytest.mark.parametrize(
    ("table", "told"),
    [
        ({}, "plugins.auth.oidc.home: issuer is missing"),
        (
            {"issuer": "https://id.example.org"},
            "plugins.auth.oidc.home: client_id is missing (or client_ids, for apps)",
        ),
        ({**GOOD, "issuer": "id.example.org"}, "plugins.auth.oidc.home.issuer: expected an address"),
        ({**GOOD, "issuer": "https://id.example.org/?x"}, "plugins.auth.oidc.home.issuer: expected an address"),
        ({**GOOD, "issuer": "https://a@id.example.org"}, "plugins.auth.oidc.home.issuer: expected an address"),
        ({**GOOD, "issuer": "https://[::1"}, "plugins.auth.oidc.home.issuer: expected an address"),
        ({**GOOD, "issuer": "javascript:x"}, "plugins.auth.oidc.home.issuer: expected an address"),
        ({**GOOD, "client": "x"}, "plugins.auth.oidc.home.client: unknown key"),
        ({**GOOD, "client_secret": "x"}, "a secret does not stand here"),
        (
            {**GOOD, "client_secret_file": "/nowhere"},
            "plugins.auth.oidc.home.client_secret_file: /nowhere cannot be read",
        ),
        ({**GOOD, "algorithms": ["HS256"]}, "plugins.auth.oidc.home.algorithms[0]: expected 'RS256'"),
        ({**GOOD, "algorithms": ["none"]}, "plugins.auth.oidc.home.algorithms[0]: expected 'RS256'"),
        ({**GOOD, "algorithms": []}, "plugins.auth.oidc.home.algorithms: expected at least 1"),
        ({**GOOD, "scopes": ["email"]}, "plugins.auth.oidc.home: scopes: expected 'openid' among them"),
        ({**GOOD, "scopes": ["openid", "a b"]}, "plugins.auth.oidc.home.scopes[1]"),
    ],
)
async def test_a_table_that_is_wrong_stops_the_start(tmp_path: Path, table: dict[str, Any], told: str) -> None:
    assert told in await problems(tmp_path, {"oidc": {"home": table}})


@pytest.mark.parametrize("name", ["Home", "my home", "a/b", "..", "-x", "x" * 33, "ö"])
async def test_a_name_that_fits_in_no_path_stops_the_start(tmp_path: Path, name: str) -> None:
    assert "expected a provider's name" in await problems(tmp_path, {"oidc": {name: GOOD}})


@pytest.mark.parametrize(
    "target",
    ["", "/callback", "//x", "app.example", "javascript:alert(1)", "data:text/html,x", "https://", "https:///x",
     "https://a@b.example/", "https://b.example/#x", "https://b.example/ x", "HTTPS://b.example", "app:", "file:/etc"],
)  # fmt: skip
async def test_a_place_that_cannot_be_given_tokens_stops_the_start(tmp_path: Path, target: str) -> None:
    assert "plugins.auth.allowed_redirects[0]" in await problems(tmp_path, {"allowed_redirects": [target]})


async def test_a_provider_that_nobody_reaches_delays_no_start(tmp_path: Path) -> None:
    table = {**GOOD, "issuer": "http://127.0.0.1:9"}

    async with open_test_house(
        tmp_path, plugins=["auth"], config={"plugins": {"auth": {"oidc": {"x": table}}}}
    ) as house:
        client = Client(house.dispatcher)
        assert (await client.get("/auth/oidc/x/login")).headers[
            "Location"
        ] == "/auth/callback#error=provider_unavailable"
        assert (await client.get("/auth/me")).status == 401


def test_a_secret_is_shown_to_nobody(tmp_path: Path) -> None:
    (tmp_path / "secret").write_text("hush hush\n")
    (tmp_path / "config.toml").write_text(f'{TABLE}client_secret_file = "secret"\n')
    loaded = load(tmp_path / "config.toml", {}, cwd=tmp_path)

    shown = settings(loaded, {"auth": AuthConfig})

    assert "hush" not in str(shown)
    (oidc,) = [each for each in shown if each.key == "plugins.auth.oidc"]
    assert oidc.value["home"]["client_id"] == "manor"


def test_a_secret_may_come_from_a_variable(tmp_path: Path) -> None:
    name = "MANOR_PLUGINS__AUTH__OIDC__HOME__CLIENT_SECRET"
    (tmp_path / "config.toml").write_text(TABLE)
    loaded = load(tmp_path / "config.toml", {name: "hush hush"}, cwd=tmp_path)

    decoded = decode_plugin(loaded, "auth", AuthConfig)

    assert decoded.oidc["home"].client_secret == "hush hush"
    assert "hush" not in str(decoded)


def test_the_reference_has_every_key_of_a_provider() -> None:
    section = REFERENCE.read_text().partition("#### `[plugins.auth.oidc.NAME]`")[2].partition("\n#")[0]

    for info in msgspec.structs.fields(ProviderConfig):
        name = "client_secret_file" if info.name == "client_secret" else info.name
        (meta,) = [note for note in info.type.__metadata__ if note.description]
        assert f"- `{name}` (" in section
        assert f"): {meta.description}\n" in section

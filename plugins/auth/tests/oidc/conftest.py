"""A house that knows a provider on loopback, and a browser between the two."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from pathlib import Path
from typing import Any

import pytest

from manor.testing import Client, SetClock
from tests.browsing import ADA, FRONTEND, PUBLIC, Browser
from tests.openid_provider import CLIENT, SECRET, OpenIdProvider, open_provider
from tests.people import QUICK


@pytest.fixture
async def provider(clock: SetClock) -> AsyncIterator[OpenIdProvider]:
    """The provider, with Ada at the browser."""
    async with open_provider(clock) as opened:
        opened.person = dict(ADA)
        opened.redirect_uris = {
            f"{PUBLIC}/auth/oidc/home/callback",
            f"{PUBLIC}/auth/oidc/other/callback",
            f"{PUBLIC}/auth/google/callback",
        }
        yield opened


@pytest.fixture
async def house_config(request: pytest.FixtureRequest, provider: OpenIdProvider, tmp_path: Path) -> Mapping[str, Any]:
    """The provider is configured as `home`, `other` and `google`, and for Apple's apps; see `configured` for more."""
    marker = request.node.get_closest_marker("manor")
    more: Mapping[str, Any] = marker.kwargs["config"] if marker else {"plugins": {"auth": {"oidc": {"home": {}}}}}
    file = tmp_path / "secret"
    file.write_text(f"{SECRET}\n")
    file.chmod(0o600)
    table = {"issuer": provider.issuer, "client_id": CLIENT, "client_secret_file": str(file)}
    oidc = {
        "home": {**table, **more["plugins"]["auth"]["oidc"]["home"]},
        "other": table,
        "google": table,
        "apple": {"issuer": provider.issuer, "client_ids": ["io.example.app", "io.example.beta"]},
    }
    server = {"public_url": PUBLIC, "frontend_url": FRONTEND, "limits": {"address_limit_factor": 0}}
    return {
        "server": {**server, **more.get("server", {})},
        "identity": {**QUICK, **more.get("identity", {})},
        "plugins": {"auth": {**more["plugins"]["auth"], "oidc": oidc}},
    }


@pytest.fixture
def browser(client: Client) -> Browser:
    """Somebody's."""
    return Browser(client)

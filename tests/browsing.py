"""A browser as far as signing in elsewhere needs one: it follows redirects to the provider and back, with cookies."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qsl, urlencode, urlsplit

import httpx
import pytest

from manor.testing import Answer, Client

PUBLIC = "https://manor.example"
FRONTEND = "https://app.example"
ADA: dict[str, Any] = {"sub": "ada-at-home", "email": "ada@example.org", "email_verified": True}

Table = Mapping[str, Any]


def configured(
    *, home: Table | None = None, auth: Table | None = None, identity: Table | None = None, server: Table | None = None
) -> pytest.MarkDecorator:
    """A marker with further keys: of the provider `home`, of the plugin, of the house."""
    plugins = {"auth": {**(auth or {}), "oidc": {"home": home or {}}}}
    return pytest.mark.manor(config={"plugins": plugins, "identity": identity or {}, "server": server or {}})


@dataclass
class Browser:
    """One person's.

    Args:
        client: Asks the house.
        jar: Cookies by name.
    """

    client: Client
    jar: dict[str, str] = field(default_factory=dict)

    async def get(self, path: str) -> Answer:
        """Ask the house, with what it had kept here, and keep what it says."""
        return self._kept(await self.client.get(path, headers=self._cookies()))

    async def post(self, path: str, *, origin: str = PUBLIC, **fields: str) -> Answer:
        """Send a form."""
        headers = {**self._cookies(), "Content-Type": "application/x-www-form-urlencoded", "Origin": origin}
        return self._kept(await self.client.post(path, body=urlencode(fields).encode(), headers=headers))

    def _cookies(self) -> dict[str, str]:
        return {"Cookie": "; ".join(f"{name}={value}" for name, value in self.jar.items())} if self.jar else {}

    def _kept(self, answer: Answer) -> Answer:
        if "Set-Cookie" in answer.headers:
            name, _, value = answer.headers["Set-Cookie"].partition(";")[0].partition("=")
            if "Max-Age=0" in answer.headers["Set-Cookie"]:
                self.jar.pop(name, None)
            else:
                self.jar[name] = value
        return answer

    async def there(self, path: str = "/auth/oidc/home/login") -> str:
        """Begin a sign-in; gives the provider's address to go to."""
        answer = await self.get(path)
        assert answer.status == 302, answer.text
        return answer.headers["Location"]

    async def at_provider(self, url: str) -> str:
        """Sign in at the provider; gives the path and query to come back on."""
        async with httpx.AsyncClient() as http:
            answer = await http.get(url)
        assert answer.status_code == 302, answer.text
        back = urlsplit(answer.headers["Location"])
        return f"{back.path}?{back.query}"

    async def sign_in(self, path: str = "/auth/oidc/home/login") -> Answer:
        """All the way there and back; gives what the house leads on with."""
        return await self.get(await self.at_provider(await self.there(path)))


def fragment(answer: Answer) -> dict[str, str]:
    """What stands behind `#`."""
    return dict(parse_qsl(urlsplit(answer.headers["Location"]).fragment))

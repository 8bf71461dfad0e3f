"""All providers of the configuration, by name."""

from __future__ import annotations

from collections.abc import Sequence

from manor import PluginContext
from manor_auth.config import AuthConfig
from manor_auth.oidc.provider import Provider

TITLES = {"apple": "Apple", "google": "Google"}
"""What people know them as; others are called as their tables are, unless these say otherwise."""


class Providers:
    """The providers. None of them is asked anything until somebody signs in.

    Args:
        context: The plugin's.
    """

    def __init__(self, context: PluginContext[AuthConfig]) -> None:
        self._all = {
            name: Provider(
                name,
                config,
                context.outgoing.allowing([config.issuer]),
                context.clock,
                redirect_uri=f"{context.link_url}{path_of(name)}/callback",
            )
            for name, config in context.config.oidc.items()
        }

    def find(self, name: str) -> Provider | None:
        """The provider of that name, if there is one."""
        return self._all.get(name)

    def shown(self) -> Sequence[tuple[str, str, str]]:
        """For the buttons of a page: name, title, and where the sign-in begins; `?next=` may follow."""
        return [
            (name, title_of(provider), f"{path_of(name)}/login")
            for name, provider in self._all.items()
            if provider.config.client_id
        ]


def title_of(provider: Provider) -> str:
    """As people know it."""
    return provider.config.title or TITLES.get(provider.name, provider.name)


def path_of(name: str) -> str:
    """Where its routes begin: Google has paths of its own."""
    return "/auth/google" if name == "google" else f"/auth/oidc/{name}"

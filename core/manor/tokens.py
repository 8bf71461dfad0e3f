"""Credentials that an admin makes at the shell, of the kinds that plugins offer."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from typing import TYPE_CHECKING

import msgspec

from manor.errors import NotFound

if TYPE_CHECKING:
    from manor.discovery import Plugin


class NewToken(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The arguments of `token.new`: the kind of credential, and what people call it."""

    kind: str
    label: str


class TokenMade(msgspec.Struct, frozen=True):
    """The secret; it is kept nowhere, and shown this once."""

    kind: str
    secret: str

    def __repr__(self) -> str:
        """Without the secret, whatever log or traceback it lands in."""
        return f"TokenMade(kind={self.kind!r})"


def token_maker(plugins: Sequence[Plugin]) -> Callable[[NewToken], Awaitable[TokenMade]]:
    """What `token.new` runs.

    Args:
        plugins: All of the house; those that run are asked, when the command is given.
    """

    async def make(arguments: NewToken) -> TokenMade:
        makers = {
            kind.kind: kind.make
            for plugin in plugins
            if plugin.is_running
            for kind in plugin.brought.authenticators
            if kind.make is not None
        }
        maker = makers.get(arguments.kind)
        if maker is None:
            there_are = f"there are {', '.join(sorted(makers))}" if makers else "no enabled plugin has any"
            raise NotFound(f"No kind of token is called {arguments.kind!r}: {there_are}")
        return TokenMade(arguments.kind, await maker(arguments.label))

    return make

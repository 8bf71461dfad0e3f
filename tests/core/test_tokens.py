"""Credentials that are made at the shell."""

from __future__ import annotations

import pytest

from manor import Authenticator, Presented, Principal
from manor.discovery import Brought, Found, Plugin, State
from manor.errors import NotFound
from manor.tokens import NewToken, TokenMade, token_maker


async def nobody(presented: Presented) -> Principal | None:
    return None


async def make(label: str) -> str:
    return f"secret of {label}"


def plugin(*kinds: Authenticator, state: State = State.ENABLED) -> Plugin:
    return Plugin(Found("doorbell", "a test", lambda: Plugin), state, brought=Brought(authenticators=list(kinds)))


RINGER = Authenticator("ringer", str.isalpha, nobody, make=make)
GUEST = Authenticator("guest", str.isalpha, nobody)


async def test_a_kind_is_made_by_the_plugin_that_offers_it() -> None:
    made = await token_maker([plugin(GUEST), plugin(RINGER)])(NewToken("ringer", "attic"))

    assert made == TokenMade("ringer", "secret of attic")
    assert "attic" not in repr(made)


@pytest.mark.parametrize(
    ("plugins", "told"),
    [
        ([plugin(RINGER)], "there are ringer"),
        ([plugin(GUEST)], "no enabled plugin has any"),
        ([plugin(Authenticator("guest", str.isalpha, nobody, make=make), state=State.QUARANTINED)], "no enabled"),
    ],
)
async def test_a_kind_that_nobody_offers_is_not_made(plugins: list[Plugin], told: str) -> None:
    with pytest.raises(NotFound, match=told):
        await token_maker(plugins)(NewToken("guest", "attic"))
